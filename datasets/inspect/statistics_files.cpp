#include "datasets/inspect/statistics_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "datasets/pipeline/label_kind.h"

namespace mtlprune {
namespace {

using nlohmann::json;

/// JSON has no NaN.
json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

json describe(const Moments& moments) {
    return {{"mean", number(moments.mean())}, {"deviation", number(moments.deviation())}};
}

json describe(const TaskStatistics& task) {
    json object = {{"name", task.task.name},
                   {"kind", to_string(task.task.kind)},
                   {"channels", task.task.channels},
                   {"total", task.total},
                   {"valid", task.valid},
                   {"valid_fraction", number(task.valid_fraction())}};
    if (label_kind(task.task.kind).content == LabelContent::directions)
        for (size_t axis = 0; axis < 3; ++axis)
            object["axes"][std::string(1, "xyz"[axis])] = describe(task.axes[axis]);
    if (task.values.counts().empty()) return object;
    object.update(describe(task.moments));
    const LabelKind& kind = label_kind(task.task.kind);
    object["unit"] = kind.unit_of(task.task);
    object["logarithmic"] = kind.range.logarithmic;
    for (const double share : {0.05, 0.25, 0.5, 0.75, 0.95})
        object["quantiles"][fmt::format("{}", share)] = number(task.values.quantile(share));
    return object;
}

json describe(const DatasetStatistics& statistics) {
    json object = {{"description", statistics.description}, {"frames", statistics.frames}};
    for (const auto& [size, frames] : statistics.sizes)
        object["sizes"].push_back({{"height", size.first}, {"width", size.second}, {"frames", frames}});
    constexpr const char* kNames[3] = {"red", "green", "blue"};
    for (size_t c = 0; c < 3; ++c) object["channels"][kNames[c]] = describe(statistics.channels[c]);
    for (const auto& task : statistics.tasks) object["tasks"].push_back(describe(task));
    return object;
}

/// A name as one field (RFC 4180).
std::string field(const std::string& name) {
    if (name.find_first_of(",\"\n") == std::string::npos) return name;
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string classes_csv(const DatasetStatistics& statistics) {
    std::string csv = "task,class,count,fraction,frames\n";
    for (const auto& task : statistics.tasks)
        for (size_t c = 0; c < task.class_counts.size(); ++c)
            csv += fmt::format("{},{},{},{:.9g},{}\n", field(task.task.name), c, task.class_counts[c],
                               static_cast<double>(task.class_counts[c]) /
                                   static_cast<double>(std::max<int64_t>(task.valid, 1)),
                               task.class_frames[c]);
    return csv;
}

std::string histograms_csv(const DatasetStatistics& statistics) {
    std::string csv = "task,low,high,count\n";
    for (const auto& task : statistics.tasks) {
        const auto& values = task.values;
        const size_t bins = values.counts().size();
        if (bins == 0) continue;
        const auto row = [&](const std::string& low, const std::string& high, int64_t count) {
            csv += fmt::format("{},{},{},{}\n", field(task.task.name), low, high, count);
        };
        const auto edge = [&](size_t bin) { return fmt::format("{:.9g}", values.edge(bin)); };
        row("-inf", edge(0), values.below());
        for (size_t bin = 0; bin < bins; ++bin) row(edge(bin), edge(bin + 1), values.counts()[bin]);
        row(edge(bins), "inf", values.above());
    }
    return csv;
}

std::string directions_csv(const DatasetStatistics& statistics) {
    std::string csv = "task,x_low,x_high,y_low,y_high,count\n";
    const auto edge = [](int64_t bin) {
        return 2.0 * static_cast<double>(bin) / static_cast<double>(kDirectionBins) - 1.0;
    };
    for (const auto& task : statistics.tasks)
        for (size_t cell = 0; cell < task.directions.size(); ++cell) {
            if (task.directions[cell] == 0) continue;
            const auto y = static_cast<int64_t>(cell) / kDirectionBins,
                       x = static_cast<int64_t>(cell) % kDirectionBins;
            csv += fmt::format("{},{:.9g},{:.9g},{:.9g},{:.9g},{}\n", field(task.task.name), edge(x),
                               edge(x + 1), edge(y), edge(y + 1), task.directions[cell]);
        }
    return csv;
}

}  // namespace

void write_statistics(const DatasetStatistics& statistics, const std::filesystem::path& folder) {
    make_folder(folder);
    write_file_atomically(folder / "classes.csv", classes_csv(statistics));
    write_file_atomically(folder / "histograms.csv", histograms_csv(statistics));
    write_file_atomically(folder / "directions.csv", directions_csv(statistics));
    write_file_atomically(folder / "statistics.json", describe(statistics).dump(2) + "\n");
}

}  // namespace mtlprune
