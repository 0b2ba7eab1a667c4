#include "reproduce/results/image_metrics_file.h"

#include <torch/utils.h>

#include "base/atomic_file.h"
#include "reproduce/results/npz_file.h"

namespace mtlprune {

void ImageMetricsFile::add(int64_t event, int64_t step, const ImageMetrics& images) {
    networks_.push_back(torch::tensor({event, step}, torch::kInt64));
    values_.push_back(images.values);
    labelled_ = images.labelled;
}

void ImageMetricsFile::write(const std::filesystem::path& path, const std::vector<TaskSpec>& tasks) const {
    const auto networks = torch::stack(networks_, 1);  // [2, networks]
    const auto values = torch::stack(values_, 1);      // [metrics, networks, images]
    std::vector<std::pair<std::string, torch::Tensor>> arrays = {{"event", networks[0]},
                                                                 {"step", networks[1]}};
    int64_t position = 0;
    for (const auto& metric : metric_definitions(tasks)) arrays.emplace_back(metric.name, values[position++]);
    for (size_t t = 0; t < tasks.size(); ++t)
        arrays.emplace_back("labelled." + tasks[t].name, labelled_[static_cast<int64_t>(t)]);
    write_file_atomically(path, encode_npz(arrays));
}

TensorMap ImageMetricsFile::state() const {
    if (networks_.empty()) return {};
    return {
        {"networks", torch::stack(networks_)}, {"values", torch::stack(values_)}, {"labelled", labelled_}};
}

void ImageMetricsFile::load_state(const TensorMap& state) {
    networks_.clear();
    values_.clear();
    if (state.empty()) return;
    networks_ = state.at("networks").unbind();
    values_ = state.at("values").unbind();
    labelled_ = state.at("labelled");
}

}  // namespace mtlprune
