// The entry of DiSparse, and what its options say.
#include "pruning/masks/disparse.h"

#include <fmt/format.h>

#include <map>

#include "base/error.h"

namespace mtlprune {
namespace {

/// Where an option means something; elsewhere it may not be given.
const std::map<std::string, std::string>& modes_of_options() {
    static const std::map<std::string, std::string> modes = {{"keep", "static, pretrained"},
                                                             {"vote", "static, pretrained"},
                                                             {"batches", "static, pretrained"},
                                                             {"redraw", "static"},
                                                             {"score", "pretrained"},
                                                             {"interval", "dynamic"},
                                                             {"until", "dynamic"},
                                                             {"rate", "dynamic"},
                                                             {"parts", "dynamic"},
                                                             {"regrow", "dynamic"},
                                                             {"gradients", "dynamic"}};
    return modes;
}

void require_share(const nlohmann::json& options, const std::string& name, double low, bool low_too) {
    const auto value = options.at(name).get<double>();
    if (!(low_too ? value >= low : value > low) || !(value <= 1.0))
        throw Error("weight masking", name, fmt::format("a share in {}{}, 1]", low_too ? "[" : "(", low),
                    fmt::format("{}", value));
}

void require_at_least_one(const nlohmann::json& options, const std::string& name) {
    if (options.at(name).get<int64_t>() < 1)
        throw Error("weight masking", name, "at least 1", options.at(name).dump());
}

void require_sensible(const nlohmann::json& options) {
    const auto mode = options.at("mode").get<std::string>();
    for (const auto& option : weight_maskings().at("disparse").options) {
        const auto known = modes_of_options().find(option.name);
        if (known == modes_of_options().end() || known->second.find(mode) != std::string::npos) continue;
        if (options.at(option.name) != option.fallback)
            throw Error("weight masking", option.name, "the mode " + known->second, "mode " + mode);
    }
    require_share(options, "density", 0.0, false);
    require_share(options, "keep", 0.0, true);
    require_share(options, "rate", 0.0, true);
    require_share(options, "until", 0.0, false);
    if (options.at("until").get<double>() >= 1.0)
        throw Error("weight masking", "until", "a share below 1 (the last drop comes after it)", "1");
    for (const char* name : {"batches", "interval", "parts"}) require_at_least_one(options, name);
}

}  // namespace

bool keeps_ties(const nlohmann::json& options) {
    return options.at("ties").get<std::string>() == "keep";
}

VoteOptions vote_options(const nlohmann::json& options) {
    return {.density = options.at("density").get<double>(),
            .keep = options.at("keep").get<double>(),
            .vote = votes().value(options.at("vote").get<std::string>(), "vote"),
            .threshold = keeps_ties(options)};
}

Registry<WeightMasking>::Entry disparse_weight_masking() {
    return {
        {.key = "disparse",
         .summary = "tasks decide each by its own loss; a shared weight leaves when all agree",
         .paper =
             "Sun et al., DiSparse: Disentangled Sparsification for Multitask Model Compression, CVPR 2022",
         .options = {{"mode",
                      "static",
                      "static: by |w dL/dw| before training; pretrained: of a trained network; dynamic: "
                      "weights leave "
                      "and come back while it trains",
                      {"static", "pretrained", "dynamic"}},
                     {"density", 0.1, "share of the weights of convolutions and linear layers that stays"},
                     {"keep", 0.0,
                      "static, pretrained: share that every task keeps, before the vote; 0: by density"},
                     {"vote",
                      "all",
                      "static, pretrained: a shared weight leaves when all, any, or more than half of the "
                      "tasks say so",
                      {"all", "any", "majority"}},
                     {"batches", 50, "static, pretrained: first iterations, which only score"},
                     {"redraw", true, "static: scores are those of weights drawn anew (Xavier)"},
                     {"score",
                      "gradient",
                      "pretrained: gradient: sum of |dL/dw| times w^2; magnitude: |w|",
                      {"gradient", "magnitude"}},
                     {"interval", 50, "dynamic: iterations between drops"},
                     {"until", 0.75, "dynamic: share of the iterations after which masks stay"},
                     {"rate", 0.5,
                      "dynamic: share of a layer's density that leaves and grows, at first; falls to 0 as "
                      "a cosine"},
                     {"parts", 2, "dynamic: of a mini-batch, whose gradients' sizes are summed"},
                     {"regrow",
                      "stored",
                      "dynamic: the value of a weight that comes back: stored, or zero as in RigL",
                      {"stored", "zero"}},
                     {"gradients",
                      "dense",
                      "dynamic, stored: of the network without masks, or masked as in RigL",
                      {"dense", "masked"}},
                     {"ties",
                      "exact",
                      "exact: as many as asked for, by place; keep: all that reach the last one's score",
                      {"exact", "keep"}}},
         .as_released = {{"ties", "keep"}}},
        [](const nlohmann::json& options) {
            require_sensible(options);
            const auto mode = options.at("mode").get<std::string>();
            if (mode == "dynamic") return dynamic_disparse(options);
            return mode == "static" ? static_disparse(options) : pretrained_disparse(options);
        }};
}

}  // namespace mtlprune
