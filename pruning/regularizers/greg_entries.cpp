// What GREG-1 and GREG-2 are called, and their options.
#include "pruning/regularizers/greg.h"

namespace mtlprune {
namespace {

std::vector<Option> growth_options() {
    const GregOptions defaults;
    return {{"every", defaults.every, "iterations between growths (the paper: 5 on ImageNet, 10 on CIFAR)"},
            {"delta", defaults.delta, "growth for what leaves"},
            {"limit", defaults.limit, "a group is done when its decay exceeds this"},
            {"ratio", defaults.ratio,
             "all are done when what stays is so many times as large as what leaves, in every group"}};
}

GregOptions read_growth(const nlohmann::json& options) {
    GregOptions read;
    read.every = at_least_one(options, "every");
    read.delta = not_negative(options, "delta");
    read.limit = not_negative(options, "limit");
    read.ratio = not_negative(options, "ratio");
    return read;
}

constexpr const char* kGregPaper = "Wang et al., Neural Pruning via Growing Regularization, ICLR 2021";

}  // namespace

Registry<Regularizer>::Entry greg1_regularizer() {
    return {{.key = "greg1",
             .summary = "growing decay of the filters that leave: the smallest, picked at the start as the "
                        "allocation says",
             .paper = kGregPaper,
             .options = growth_options()},
            [](const nlohmann::json& options) { return make_greg(read_growth(options)); }};
}

Registry<Regularizer>::Entry greg2_regularizer() {
    auto options = growth_options();
    const GregOptions defaults;
    options.push_back({"pick_delta", defaults.pick_delta, "growth of the decay of all filters at first"});
    options.push_back({"pick_limit", defaults.pick_limit, "the decay at which those that leave are picked"});
    options.push_back({"recover", defaults.recover,
                       "negative decay of what stays (as released; it is doubted there: 0 has none)"});
    return {{.key = "greg2",
             .summary = "decay that grows for all filters until those are picked that leave, then for these",
             .paper = kGregPaper,
             .options = options},
            [](const nlohmann::json& options) {
                auto read = read_growth(options);
                read.picks_first = false;
                read.pick_delta = not_negative(options, "pick_delta");
                read.pick_limit = not_negative(options, "pick_limit");
                read.recover = not_negative(options, "recover");
                return make_greg(read);
            }};
}

}  // namespace mtlprune
