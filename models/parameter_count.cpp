#include "models/parameter_count.h"

#include <algorithm>

namespace mtlprune {
namespace {

constexpr int64_t kBranches = 4;

bool pooled_after(const ModelConfig& config, size_t layer) {
    const auto number = static_cast<int64_t>(layer) + 1;
    return std::find(config.pool_after.begin(), config.pool_after.end(), number) != config.pool_after.end();
}

struct Work {
    int64_t convolution = 0;  ///< multiply-accumulates
    int64_t elementwise = 0;  ///< bias, ReLU and pooling as ptflops counts them
};

struct BackboneWork : Work {
    int64_t positions = 0;  ///< height * width of the features
};

BackboneWork backbone_work(const ModelConfig& config, int64_t height, int64_t width) {
    BackboneWork work;
    int64_t in = 3;
    for (size_t l = 0; l < config.widths.size(); ++l) {
        const int64_t out = config.widths[l];
        const int64_t elements = out * height * width;
        work.convolution += 9 * in * elements;
        work.elementwise += 2 * elements;
        if (pooled_after(config, l)) {
            work.elementwise += elements;
            height /= 2;
            width /= 2;
        }
        in = out;
    }
    work.positions = height * width;
    return work;
}

Work heads_work(const ModelConfig& config, int64_t positions) {
    Work work;
    const int64_t hidden = config.head_width;
    for (const auto& task : config.tasks) {
        const int64_t weights = 9 * config.widths.back() * hidden + hidden * hidden + hidden * task.channels;
        work.convolution += kBranches * positions * weights;
        work.elementwise += kBranches * positions * (2 * 2 * hidden + task.channels);
    }
    return work;
}

}  // namespace

int64_t backbone_parameter_count(const ModelConfig& config) {
    int64_t count = 0;
    int64_t in = 3;
    for (const int64_t out : config.widths) {
        count += (9 * in + 1) * out;
        in = out;
    }
    return count;
}

int64_t head_parameter_count(const ModelConfig& config, size_t task) {
    const int64_t hidden = config.head_width;
    const int64_t channels = config.tasks.at(task).channels;
    return kBranches * ((9 * config.widths.back() + 1) * hidden + (hidden + 1) * (hidden + channels));
}

int64_t parameter_count(const ModelConfig& config) {
    int64_t count = backbone_parameter_count(config);
    for (size_t task = 0; task < config.tasks.size(); ++task) count += head_parameter_count(config, task);
    return count;
}

ConvMacs conv_macs(const ModelConfig& config, int64_t height, int64_t width) {
    const auto backbone = backbone_work(config, height, width);
    return {backbone.convolution, heads_work(config, backbone.positions).convolution};
}

ConvMacs ptflops_macs(const ModelConfig& config, int64_t height, int64_t width) {
    const auto backbone = backbone_work(config, height, width);
    const auto heads = heads_work(config, backbone.positions);
    return {backbone.convolution + backbone.elementwise, heads.convolution + heads.elementwise};
}

}  // namespace mtlprune
