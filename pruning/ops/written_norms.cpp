#include "pruning/ops/written_norms.h"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace mtlprune {
namespace {

/// What an operator makes of degrees.
enum class Degree {
    keeps,       ///< that of the first argument
    squares,     ///< doubles it
    roots,       ///< halves it
    root_below,  ///< halves it and turns its sign
    below,       ///< turns its sign
    power,       ///< multiplies it by the second argument
    spread,      ///< of a variance (and a mean)
    product,     ///< sum of both
    quotient,    ///< difference of both
    sum          ///< both must be of the same
};

const std::unordered_map<std::string_view, Degree>& degree_rules() {
    static const std::unordered_map<std::string_view, Degree> rules = [] {
        std::unordered_map<std::string_view, Degree> all;
        const auto add = [&](Degree rule, std::initializer_list<const char*> names) {
            for (const char* name : names) all.emplace(name, rule);
        };
        add(Degree::keeps, {"abs",
                            "neg",
                            "mean",
                            "sum",
                            "std",
                            "std_mean",
                            "amax",
                            "cumsum",
                            "norm",
                            "clamp_min",
                            "clamp",
                            "linalg_vector_norm",
                            "to",
                            "type_as",
                            "_to_copy",
                            "contiguous",
                            "detach",
                            "clone",
                            "alias",
                            "expand",
                            "expand_as",
                            "broadcast_to",
                            "view",
                            "view_as",
                            "reshape",
                            "reshape_as",
                            "unsqueeze",
                            "squeeze",
                            "flatten",
                            "unflatten",
                            "permute",
                            "transpose",
                            "t",
                            "movedim",
                            "repeat",
                            "repeat_interleave",
                            "dropout",
                            "frobenius_norm",
                            "linalg_norm",
                            "_unsafe_view",
                            "_reshape_alias"});
        add(Degree::squares, {"square"});
        add(Degree::roots, {"sqrt"});
        add(Degree::root_below, {"rsqrt"});
        add(Degree::below, {"reciprocal"});
        add(Degree::power, {"pow"});
        add(Degree::spread, {"var", "var_mean"});
        add(Degree::product, {"mul", "multiply"});
        add(Degree::quotient, {"div", "divide", "true_divide"});
        add(Degree::sum, {"add", "sub", "subtract", "maximum"});
        return all;
    }();
    return rules;
}

/// Those that work in place do the same.
std::optional<Degree> degree_rule(std::string_view kind) {
    if (!kind.starts_with("aten::")) return std::nullopt;
    kind.remove_prefix(6);
    if (kind.ends_with('_') && !kind.ends_with("__")) kind.remove_suffix(1);
    const auto found = degree_rules().find(kind);
    return found == degree_rules().end() ? std::nullopt : std::optional(found->second);
}

/// The second argument says what form the result has, and nothing else.
bool reads_form_only(const TracedNode& node, size_t value) {
    return node.inputs[0] != value && node.kind.ends_with("_as");
}

/// Two numbers are equal degrees when they differ by rounding at most.
bool same(double a, double b) {
    return std::abs(a - b) < 1e-9;
}

}  // namespace

bool WrittenNorms::is_as_large_as_source(size_t value) const {
    return c10::multiply_integers(graph_.values[value].shape) >= size_;
}

/// The last operator before node `before` that wrote over the value.
std::optional<size_t> WrittenNorms::overwriter(size_t value, size_t before) const {
    std::optional<size_t> last;
    for (const size_t reader : uses_.readers[value]) {
        const auto& node = graph_.nodes[reader];
        if (reader < before && node.op->memory == Memory::in_place && node.inputs[0] == value) last = reader;
    }
    return last;
}

/// Of what the node finds in the value's place.
std::optional<double> WrittenNorms::degree_at(size_t node, size_t value) {
    const auto writer = overwriter(value, node);
    return degree(writer ? graph_.nodes[*writer].outputs[0] : value);
}

/// Those that find this value in its place: not what was written over it.
std::vector<size_t> WrittenNorms::readers(size_t value) const {
    auto all = uses_.readers[value];
    const size_t maker = uses_.maker[value];
    if (maker != ValueUses::kNobody && graph_.nodes[maker].op->memory == Memory::in_place)
        for (const size_t reader : uses_.readers[graph_.nodes[maker].inputs[0]])
            if (overwriter(graph_.nodes[maker].inputs[0], reader) == maker) all.push_back(reader);
    std::erase_if(all, [&](size_t reader) { return overwriter(value, reader).has_value(); });
    return all;
}

/// One number that does not depend on the base: an epsilon.
bool WrittenNorms::is_neutral(size_t value, size_t node) {
    const auto& traced = graph_.values[value];
    if (!traced.is_tensor) return true;
    const auto own = degree_at(node, value);
    return own && same(*own, 0) && c10::multiply_integers(traced.shape) == 1;
}

std::optional<double> WrittenNorms::degree_of_sum(size_t number) {
    const auto& node = graph_.nodes[number];
    const auto a = degree_at(number, node.inputs[0]), b = degree_at(number, node.inputs[1]);
    if (a && b && same(*a, *b)) return a;
    const bool subtracts = node.kind.starts_with("aten::sub");
    if (!subtracts && is_neutral(node.inputs[1], number)) return a;
    if (!subtracts && is_neutral(node.inputs[0], number)) return b;
    return std::nullopt;
}

std::optional<double> WrittenNorms::degree_of_result(size_t number, size_t output) {
    const auto& node = graph_.nodes[number];
    const auto rule = degree_rule(node.kind);
    if (!rule) return std::nullopt;
    if (*rule == Degree::sum) return degree_of_sum(number);
    const auto first = degree_at(number, node.inputs[0]);
    if (!first) return std::nullopt;
    switch (*rule) {
        case Degree::keeps:
            return first;
        case Degree::squares:
            return *first * 2;
        case Degree::roots:
            return *first / 2;
        case Degree::root_below:
            return -*first / 2;
        case Degree::below:
            return -*first;
        case Degree::power: {
            const auto exponent = graph_.number(node.inputs[1]);
            return exponent ? std::optional(*first * *exponent) : std::nullopt;
        }
        case Degree::spread:
            return output == node.outputs[0] ? *first * 2 : *first;
        case Degree::product:
        case Degree::quotient: {
            const auto second = degree_at(number, node.inputs[1]);
            if (!second) return std::nullopt;
            return *rule == Degree::product ? *first + *second : *first - *second;
        }
        case Degree::sum:
            break;
    }
    return std::nullopt;
}

/// Relative to the base; what does not depend on it has degree 0. Nothing where that cannot be said.
std::optional<double> WrittenNorms::degree(size_t value) {
    if (value == base_) return 1;
    const size_t maker = uses_.maker[value];
    if (maker == ValueUses::kNobody || static_cast<int64_t>(maker) <= base_node_) return 0;
    if (const auto known = degrees_.find(value); known != degrees_.end()) return known->second;
    const auto inputs = graph_.tensor_inputs(graph_.nodes[maker]);
    const bool is_free = std::all_of(inputs.begin(), inputs.end(), [&](size_t input) {
        const auto own = degree_at(maker, input);
        return own && same(*own, 0);
    });
    const auto result = is_free ? std::optional(0.0) : degree_of_result(maker, value);
    degrees_[value] = result;
    return result;
}

/// Whether everything that reads `value` leads to values of degree 0.
bool WrittenNorms::ends_in_norms(size_t value) {
    if (const auto known = ends_.find(value); known != ends_.end()) return known->second;
    const auto& outputs = graph_.outputs;
    const auto own = degree(value);
    if (!own || std::find(outputs.begin(), outputs.end(), value) != outputs.end())
        return ends_[value] = false;
    if (same(*own, 0) && is_as_large_as_source(value)) return ends_[value] = true;
    const auto all = readers(value);
    return ends_[value] = std::all_of(all.begin(), all.end(), [&](size_t reader) {
               const auto& node = graph_.nodes[reader];
               if (reads_form_only(node, value)) return true;
               const auto results = graph_.tensor_outputs(node);
               return degree_rule(node.kind) &&
                      std::all_of(results.begin(), results.end(),
                                  [&](size_t result) { return ends_in_norms(result); });
           });
}

/// What the source was computed from may be the base too: the x of the squares whose mean is taken.
bool WrittenNorms::has(const TracedNode& statistic) {
    constexpr size_t kMostBases = 12;
    size_ = c10::multiply_integers(graph_.values[statistic.inputs[0]].shape);
    std::vector<size_t> bases = {statistic.inputs[0]};
    for (size_t i = 0; i < bases.size() && i < kMostBases; ++i) {
        base_ = bases[i];
        const size_t maker = uses_.maker[base_];
        base_node_ = maker == ValueUses::kNobody ? -1 : static_cast<int64_t>(maker);
        degrees_.clear();
        ends_.clear();
        const auto results = graph_.tensor_outputs(statistic);
        const bool depends = std::all_of(results.begin(), results.end(), [&](size_t result) {
            const auto own = degree(result);
            return own && !same(*own, 0);
        });
        const bool is_read = std::any_of(results.begin(), results.end(),
                                         [&](size_t result) { return !uses_.readers[result].empty(); });
        if (depends && is_read &&
            std::all_of(results.begin(), results.end(), [&](size_t result) { return ends_in_norms(result); }))
            return true;
        if (maker == ValueUses::kNobody || !degree_rule(graph_.nodes[maker].kind)) continue;
        for (const size_t input : graph_.tensor_inputs(graph_.nodes[maker]))
            if (std::find(bases.begin(), bases.end(), input) == bases.end()) bases.push_back(input);
    }
    return false;
}

}  // namespace mtlprune
