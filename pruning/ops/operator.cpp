#include "pruning/ops/operator.h"

#include <unordered_map>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// LibTorch's naming rule: "relu_" writes into its first input, "__and__" does not.
bool is_named_in_place(std::string_view kind) {
    return kind.ends_with('_') && !kind.ends_with("__");
}

std::vector<Operator> all_families() {
    std::vector<Operator> all;
    add_convolutions(all);
    add_products(all);
    add_normalisations(all);
    add_elementwise(all);
    add_resampling(all);
    add_shape_changes(all);
    add_selections(all);
    add_indexing(all);
    add_scatters(all);
    add_positions(all);
    add_distances(all);
    add_quantisation(all);
    add_complex(all);
    add_joins(all);
    add_reductions(all);
    add_attention(all);
    add_recurrent_layers(all);
    add_program_operators(all);
    return all;
}

}  // namespace

void add_named(std::vector<Operator>& all, Operator record, std::string name) {
    if (is_named_in_place(name)) record.memory = Memory::in_place;
    record.name = std::move(name);
    all.push_back(std::move(record));
}

void add(std::vector<Operator>& all, const Operator& record, std::initializer_list<const char*> names) {
    for (const char* name : names) add_named(all, record, std::string("aten::") + name);
}

bool keeps_channels(const Operator& op) {
    if (op.labels == nullptr || op.edits != nullptr) return false;
    for (const char* harmless : {"aten::relu", "aten::sigmoid", "aten::squeeze", "aten::unsqueeze",
                                 "aten::mul", "aten::add", "aten::div"})
        if (op.labels == operator_of(harmless).labels) return true;
    return false;
}

const std::vector<Operator>& operators() {
    static const auto table = all_families();
    return table;
}

const Operator& operator_of(std::string_view kind) {
    static const auto by_name = [] {
        std::unordered_map<std::string_view, const Operator*> map;
        for (const auto& op : operators()) map.emplace(op.name, &op);
        return map;
    }();
    static const Operator unknown{.freezes = kNoRule},
        unknown_view{.freezes = kNoRule, .memory = Memory::view},
        unknown_in_place{.freezes = kNoRule, .memory = Memory::in_place};
    const auto found = by_name.find(kind);
    if (found != by_name.end()) return *found->second;
    if (is_named_in_place(kind)) return unknown_in_place;
    // Operators of the language itself hand values on.
    return kind.starts_with("prim::") ? unknown_view : unknown;
}

}  // namespace mtlprune
