#include "datasets/conventions/contradictions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "datasets/codecs/normal_codes.h"
#include "datasets/conventions/class_evidence.h"
#include "datasets/conventions/depth_evidence.h"
#include "datasets/conventions/normal_evidence.h"
#include "datasets/pipeline/label_kind.h"

namespace mtlprune {
namespace {

constexpr int64_t kFramesBeforeWork = 4;
constexpr double kLeastFacing = 0.4;
constexpr int64_t kLeastNormals = 500;

std::vector<Sample> some_samples(const Dataset& dataset, int64_t frames) {
    std::vector<Sample> samples;
    const int64_t count = std::min(frames, dataset.size());
    for (int64_t i = 0; i < count; ++i) try {
            Sample sample = dataset.get(i * dataset.size() / count);
            for (size_t t = 0; t < dataset.tasks().size(); ++t)
                check_label(sample.labels.at(t), dataset.tasks()[t], sample);
            samples.push_back(std::move(sample));
        } catch (const std::exception&) {
            // Reading it for its own sake says what is wrong with it.
        }
    return samples;
}

std::vector<cv::Mat> pixels_of(const std::vector<Sample>& samples, size_t task) {
    std::vector<cv::Mat> pixels;
    for (const Sample& sample : samples) pixels.push_back(sample.labels[task].pixels);
    return pixels;
}

Error about_normals(const TaskSpec& task, const AxesVerdict& verdict, const Reading& reading) {
    const std::string found = fmt::format("{:.0f} % that do", 100.0 * verdict.facing);
    if (!verdict.certain)
        return Error("normals", task.name, "surfaces that face the camera",
                     found + (reading.normal_axes.empty()
                                  ? "; their axes are others"
                                  : "; their axes are not '" + reading.normal_axes +
                                        "': say which, e.g. --set data.normal_axes=\"right up backward\""));
    const NormalAxes sample_axes;
    if (reading.normal_axes.empty())
        return Error(
            "normals", task.name, "axes right, down, forward",
            fmt::format("'{}', as normals fitted to depth show; write the data set again from normals "
                        "in the axes that its layout documents",
                        normal_axes_text(verdict.axes)));
    const auto axes = corrected_axes(parse_normal_axes(reading.normal_axes, task.name), verdict.axes);
    return Error("normals", task.name, "axes '" + reading.normal_axes + "'",
                 fmt::format("'{0}', as normals fitted to depth show: --set data.normal_axes=\"{0}\"",
                             normal_axes_text(axes)));
}

void check_normals(const Dataset& dataset, const std::vector<Sample>& samples, size_t task,
                   std::vector<Error>& found) {
    const auto& tasks = dataset.tasks();
    const auto depth = std::find_if(tasks.begin(), tasks.end(), [](const TaskSpec& other) {
        return other.kind == TaskKind::depth && !other.inverse;
    });
    NormalEvidence evidence;
    for (const Sample& sample : samples) {
        const cv::Mat& pixels = sample.labels[task].pixels;
        evidence.add(pixels.type() == CV_8UC3 ? decode_normals(pixels) : pixels,
                     depth == tasks.end() ? cv::Mat() : sample.labels[depth - tasks.begin()].pixels,
                     kUsualFocalLength);
    }
    const AxesVerdict verdict = evidence.verdict();
    const bool away = verdict.normals >= kLeastNormals && verdict.facing < kLeastFacing;
    if (verdict.certain ? verdict.axes != NormalAxes() : away)
        found.push_back(about_normals(tasks[task], verdict, dataset.reading()));
}

void check_depths(const Dataset& dataset, const std::vector<Sample>& samples, size_t task,
                  std::vector<Error>& found) {
    const Reading reading = dataset.reading();
    const DepthVerdict verdict = depth_verdict(pixels_of(samples, task), reading.indoors);
    if (verdict.metres) return;
    std::string hint;
    // Only what was taken as it is can be in another unit.
    if (reading.depth_unit == "metres" && verdict.units.size() == 1)
        hint = fmt::format(": {0}, --set data.depth_unit={0}", verdict.units[0]);
    else if (!reading.depth_unit.empty())
        hint = fmt::format("; not {}: say which unit, --set data.depth_unit={}", reading.depth_unit,
                           fmt::join(verdict.units.empty() ? depth_units() : verdict.units, " or "));
    else if (!verdict.units.empty())
        hint = fmt::format(", {}: write the data set again in metres", fmt::join(verdict.units, " or "));
    found.push_back(Error("depth", dataset.tasks()[task].name,
                          reading.indoors ? "metres of a room" : "metres",
                          fmt::format("a median of {:.4g}{}", verdict.median, hint)));
}

void check_numbering(const Dataset& dataset, const std::vector<Sample>& samples, size_t task,
                     std::vector<Error>& found) {
    const TaskSpec& spec = dataset.tasks()[task];
    const auto numbering =
        smaller_numbering(pixels_of(samples, task), spec.channels, dataset.reading().class_numbers);
    if (!numbering || (numbering->first != 0 && dataset.reading().first_class < 0)) return;
    found.push_back(
        Error("segmentation", spec.name, fmt::format("labels of {} classes", spec.channels),
              fmt::format("those of {0} ({1}..{2}{3}): --set data.classes={0}{4}", numbering->classes,
                          numbering->first, numbering->classes - 1 + numbering->first,
                          numbering->first == 1 ? ", 0 = unlabelled" : "",
                          numbering->first == 1 ? " --set data.first_class=1" : "")));
}

}  // namespace

std::vector<Error> contradictions(const Dataset& dataset, int64_t frames) {
    std::vector<Error> found;
    const auto samples = some_samples(dataset, frames);
    const auto& tasks = dataset.tasks();
    for (size_t t = 0; t < tasks.size() && !samples.empty(); ++t) {
        if (tasks[t].kind == TaskKind::normals) check_normals(dataset, samples, t, found);
        if (tasks[t].kind == TaskKind::depth && !tasks[t].inverse) check_depths(dataset, samples, t, found);
        if (tasks[t].kind == TaskKind::segmentation) check_numbering(dataset, samples, t, found);
    }
    for (auto& error : dataset.contradictions()) found.push_back(std::move(error));
    return found;
}

void require_no_contradictions(const Dataset& dataset) {
    const auto found = contradictions(dataset, kFramesBeforeWork);
    if (!found.empty()) throw Error(dataset.description() + ": " + found.front().what());
}

}  // namespace mtlprune
