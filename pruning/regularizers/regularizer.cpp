#include "pruning/regularizers/regularizer.h"

#include <fmt/format.h>

#include "base/error.h"

// One line per regulariser; `name` is defined in a file of its own as `Registry<Regularizer>::Entry
// name_regularizer()`.
#define MTLPRUNE_REGULARIZERS(ENTRY) \
    ENTRY(slimming)                  \
    ENTRY(group_lasso)               \
    ENTRY(group_norm)                \
    ENTRY(growing_reg)               \
    ENTRY(greg1)                     \
    ENTRY(greg2)                     \
    ENTRY(increg)                    \
    ENTRY(less_is_more)              \
    ENTRY(meta_sparsity)             \
    ENTRY(adapmtl)                   \
    ENTRY(disparse_dynamic)

namespace mtlprune {

#define MTLPRUNE_DECLARE(name) Registry<Regularizer>::Entry name##_regularizer();
MTLPRUNE_REGULARIZERS(MTLPRUNE_DECLARE)
#undef MTLPRUNE_DECLARE

Registry<Regularizer>& regularizers() {
    static Registry<Regularizer> all = [] {
        Registry<Regularizer> registry("regularizer");
#define MTLPRUNE_ADD(name) registry.add(name##_regularizer());
        MTLPRUNE_REGULARIZERS(MTLPRUNE_ADD)
#undef MTLPRUNE_ADD
        return registry;
    }();
    return all;
}

double not_negative(const nlohmann::json& options, const std::string& name) {
    const auto value = options.at(name).get<double>();
    if (!(value >= 0.0)) throw Error("regularizer", name, "a number of at least 0", fmt::format("{}", value));
    return value;
}

int64_t at_least_one(const nlohmann::json& options, const std::string& name) {
    const auto value = options.at(name).get<int64_t>();
    if (value < 1) throw Error("regularizer", name, "at least 1", std::to_string(value));
    return value;
}

void save_list(std::map<std::string, torch::Tensor>& state, const std::string& name,
               const std::vector<torch::Tensor>& list) {
    for (size_t i = 0; i < list.size(); ++i) state[fmt::format("{}.{}", name, i)] = list[i];
}

std::vector<torch::Tensor> load_list(const std::map<std::string, torch::Tensor>& state,
                                     const std::string& name) {
    std::vector<torch::Tensor> list;
    while (true) {
        const auto found = state.find(fmt::format("{}.{}", name, list.size()));
        if (found == state.end()) return list;
        list.push_back(found->second.clone());
    }
}

void select_rows(std::vector<torch::Tensor>& list, const std::vector<torch::Tensor>& kept) {
    for (size_t i = 0; i < list.size(); ++i)
        list[i] = list[i].index_select(0, kept.at(i).to(list[i].device()));
}

}  // namespace mtlprune
