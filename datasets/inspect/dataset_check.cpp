#include "datasets/inspect/dataset_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "base/input_file.h"
#include "datasets/codecs/jpeg.h"
#include "datasets/contract/image_files.h"
#include "datasets/pipeline/label_kind.h"
#include "datasets/pipeline/parallel_for.h"
#include "datasets/pipeline/transform.h"

namespace mtlprune {
namespace {

constexpr size_t kExifReach = 1 << 17;  // the EXIF segment is the first or second and at most 64 KiB long

/// The transform of one task alone refuses labels of a wrong form.
void check_task(const Sample& sample, const TaskSpec& task, const Label& label) {
    TransformOptions options;
    options.height = options.width = 1;
    options.augmentation = Augmentation::none;
    transform_sample({sample.id, sample.image, {label}}, {task}, options, {});
    const auto check_values = label_kind(task.kind).check;
    if (check_values) check_values(label, task, sample.id + ": " + task.name);
}

/// Labels are compared with pixels as they are stored, and so is everything here; other programs turn such
/// pictures.
std::optional<Error> orientation_problem(const std::filesystem::path& file) {
    std::vector<uint8_t> start(kExifReach);
    const InputFile input(file, "image");
    start.resize(input.read_up_to(start.data(), start.size(), 0));
    const int orientation = jpeg_orientation(start);
    if (orientation == 1) return std::nullopt;
    return Error(
        "image", file.string(), "a picture that is stored upright (EXIF orientation 1)",
        fmt::format("EXIF orientation {}: other programs turn it, labels may be made for either; store it "
                    "upright, e.g. mogrify -auto-orient",
                    orientation));
}

std::vector<Error> frame_problems(const Dataset& dataset, int64_t index) {
    std::optional<Sample> sample;
    try {
        sample = dataset.get(index);
    } catch (const std::exception&) {
        return dataset.problems(index);
    }
    auto found = sample_problems(*sample, dataset.tasks());
    if (const auto* files = dynamic_cast<const ImageFiles*>(&dataset))
        if (const auto turned = orientation_problem(files->image_file(index))) found.push_back(*turned);
    return found;
}

}  // namespace

std::vector<Error> sample_problems(const Sample& sample, const std::vector<TaskSpec>& tasks) {
    std::vector<Error> found;
    if (sample.labels.size() != tasks.size())
        return {Error("sample", sample.id, fmt::format("{} labels, one for each task", tasks.size()),
                      std::to_string(sample.labels.size()))};
    for (size_t t = 0; t < tasks.size(); ++t) try {
            check_task(sample, tasks[t], sample.labels[t]);
        } catch (const Error& error) {
            found.push_back(error);
        }
    return found;
}

std::vector<FrameProblem> check_dataset(const Dataset& dataset, const DatasetCheckOptions& options) {
    std::vector<FrameProblem> all;
    std::mutex mutex;
    int64_t done = 0;
    parallel_for(dataset.size(), options.threads, [&](int64_t index) {
        const auto found = frame_problems(dataset, index);
        const std::lock_guard lock(mutex);
        for (const auto& error : found)
            all.push_back({index, dataset.id(index), error.place(), error.problem()});
        if (options.progress) options.progress(++done, dataset.size());
    });
    std::stable_sort(all.begin(), all.end(),
                     [](const FrameProblem& a, const FrameProblem& b) { return a.index < b.index; });
    return all;
}

std::vector<FrameProblem> without_missing_folders(std::vector<FrameProblem> problems) {
    struct Folder {
        bool exists = true;
        int64_t files = 0;
    };
    std::map<std::string, Folder> folders;
    const auto folder_of = [](const FrameProblem& problem) {
        return std::filesystem::path(problem.file).parent_path().string();
    };
    for (const auto& problem : problems) {
        const auto path = folder_of(problem);
        const auto [entry, is_new] = folders.try_emplace(path);
        std::error_code ignored;
        if (is_new && !path.empty()) entry->second.exists = std::filesystem::exists(path, ignored);
        ++entry->second.files;
    }
    std::vector<FrameProblem> kept;
    for (auto& problem : problems) {
        const auto path = folder_of(problem);
        Folder& folder = folders.at(path);
        if (folder.exists) {
            kept.push_back(std::move(problem));
        } else if (folder.files > 0) {
            kept.push_back({problem.index, problem.frame, path,
                            fmt::format("no such folder, which {} file{} should be in", folder.files,
                                        folder.files == 1 ? "" : "s")});
            folder.files = 0;
        }
    }
    return kept;
}

}  // namespace mtlprune
