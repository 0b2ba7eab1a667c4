// DeepLab's atrous spatial pyramid pooling in its published size.
#include "models/heads/small_aspp.h"

namespace mtlprune {

HeadRegistry::Entry aspp_head() {
    return {{.key = "aspp",
             .summary = "DeepLab-v2's dilated branches, summed; predicts at the last map's size",
             .paper = "Chen et al., DeepLab, TPAMI 2017; of tasks: Sun et al., AdaShare, NeurIPS 2020",
             .options = {{"hidden", 1024, "channels within a branch"},
                         {"dropout", 0.5, "probability of either dropout of a branch"},
                         {"rates", {6, 12, 18, 24}, "dilation of each branch"}}},
            [](const nlohmann::json& options, const std::vector<MapShape>& maps, const TaskSpec& task) {
                return std::make_unique<SmallAspp>(maps.back().channels, options.at("hidden").get<int64_t>(),
                                                   task.channels, options.at("dropout").get<double>(),
                                                   options.at("rates").get<std::vector<int64_t>>());
            }};
}

}  // namespace mtlprune
