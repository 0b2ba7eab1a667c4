#include "reproduce/stages/curve_files.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "reproduce/results/event_file.h"

namespace mtlprune {
namespace {

/// The most that this process had at a time.
double memory_in_gib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / (1 << 20);
}

/// The whole record or, on a full disk, nothing of it.
void append(const std::filesystem::path& path, const std::string& record) {
    const auto size = std::filesystem::file_size(path);
    {
        std::ofstream file(path, std::ios::binary | std::ios::app);
        if (file << record && file.flush()) return;
    }
    const std::string reason = std::strerror(errno);
    std::filesystem::resize_file(path, size);
    throw Error("event file", path.string(), "a record to be written", reason);
}

}  // namespace

void CurveFiles::begin(const std::vector<LearningCurve::Point>& points) {
    auto content = event_file_start(0.0);
    for (const auto& point : points) content += event(point);
    context_.folder.write(kEventFileName, content);
    last_ = Clock::now();
}

std::string CurveFiles::event(const LearningCurve::Point& point) const {
    std::map<std::string, float> scalars = {{"learning_rate", static_cast<float>(point.learning_rate)}};
    for (size_t t = 0; t < point.losses.size(); ++t)
        scalars["loss/" + context_.tasks.at(t).name] = static_cast<float>(point.losses[t]);
    return event_record(static_cast<double>(point.iteration), point.iteration, scalars);
}

void CurveFiles::add(const LearningCurve::Point& point, int64_t images) {
    const auto now = Clock::now();
    const double speed =
        static_cast<double>(images * context_.ranks()) / std::chrono::duration<double>(now - last_).count();
    last_ = now;
    append(context_.folder.path() / kEventFileName, event(point));
    std::string losses;
    for (size_t t = 0; t < point.losses.size(); ++t)
        losses +=
            fmt::format("{}{} {:.3g}", t > 0 ? ", " : "loss ", context_.tasks.at(t).name, point.losses[t]);
    context_.status = fmt::format("{}; {:.3g} images/s, {:.1f} GiB", losses, speed, memory_in_gib());
}

void CurveFiles::finish(const std::vector<LearningCurve::Point>& points) {
    std::string text = "iteration,learning_rate";
    for (const auto& task : context_.tasks) text += ",loss." + task.name;
    for (const auto& point : points) {
        text += fmt::format("\n{},{}", point.iteration, point.learning_rate);
        for (const double loss : point.losses) text += fmt::format(",{}", loss);
    }
    context_.folder.write("curve.csv", text + "\n");
}

}  // namespace mtlprune
