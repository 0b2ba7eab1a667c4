// The main paper's network in any size, for tests that look into it.
#pragma once

#include <memory>
#include <vector>

#include "models/backbones/vgg.h"
#include "models/heads/small_aspp.h"
#include "models/multi_task_model.h"

namespace mtlprune {

struct PaperNetwork {
    std::vector<int64_t> channels = vgg16_channels();
    std::vector<int64_t> poolings = vgg16_poolings();
    int64_t hidden = 1024;
    double dropout = 0.5;
    std::vector<TaskSpec> tasks = nyuv2_tasks(40);
};

using PaperModel = std::shared_ptr<MultiTaskModel>;

inline PaperModel build(const PaperNetwork& network) {
    const auto backbone = std::make_shared<Vgg>(network.channels, network.poolings);
    return std::make_shared<MultiTaskModel>(backbone, network.tasks, [&](const TaskSpec& task) {
        return std::make_shared<SmallAspp>(network.channels.back(), network.hidden, task.channels,
                                           network.dropout);
    });
}

inline Vgg& vgg(MultiTaskModel& model) {
    return dynamic_cast<Vgg&>(model.backbone());
}

inline SmallAspp& aspp(MultiTaskModel& model, size_t task) {
    return dynamic_cast<SmallAspp&>(model.head(task));
}

/// Channels of the backbone's layers as they are now.
inline std::vector<int64_t> widths(MultiTaskModel& model) {
    std::vector<int64_t> widths;
    for (const auto& layer : vgg(model).convolutions) widths.push_back(layer->weight.size(0));
    return widths;
}

}  // namespace mtlprune
