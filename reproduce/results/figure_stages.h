// Which stages the figures and claims are about.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mtlprune {

struct FigureStages {
    struct Curve {
        std::string strategy, stage;
    };
    struct Retrained {
        int64_t configuration;  ///< position on the axis of sizes, 0 = dense
        std::string strategy, stage;
    };
    std::string constant;              ///< best predictions that ignore the image
    std::string dense;                 ///< the unpruned networks
    std::vector<Curve> iterative;      ///< iterative pruning, one stage per strategy
    std::vector<Retrained> retrained;  ///< trained from scratch; one stage may serve several strategies
};

/// {"constant": STAGE, "dense": STAGE, "iterative": [{"strategy", "stage"}], "retrained": [{"configuration",
/// "strategy", "stage"}]}. Throws Error naming `place` on another form.
FigureStages read_figure_stages(const nlohmann::json& json, const std::string& place);
nlohmann::json figure_stages_to_json(const FigureStages& figures);

}  // namespace mtlprune
