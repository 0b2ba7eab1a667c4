// Operators that treat every channel alone: activations, arithmetic.
#include <algorithm>
#include <set>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// What an operator makes of channels that are zero in some of its operands.
enum class AtZero { never, all_operands, any_operand, first_operand, always };

/// Axes along which something of x may leave, counted from the last.
std::set<size_t> labelled_axes(const Labelled& x) {
    std::set<size_t> axes;
    for (const auto& array : x.arrays)
        for (const size_t axis : array.axes) axes.insert(x.shape.size() - axis);
    return axes;
}

bool includes(const std::set<size_t>& all, const std::set<size_t>& part) {
    return std::includes(all.begin(), all.end(), part.begin(), part.end());
}

/// Operands may carry labels along different axes: what leaves along one of them must be zero in the result.
bool result_vanishes(AtZero at_zero, const std::vector<Labelled>& operands, const Labelled& result) {
    const auto all = labelled_axes(result);
    std::set<size_t> zero;
    bool all_zero = true;
    for (const auto& x : operands) {
        const auto axes = labelled_axes(x);
        if (x.vanishes) zero.insert(axes.begin(), axes.end());
        all_zero = all_zero && x.vanishes;
    }
    const auto covers_all = [&](const Labelled& x) { return includes(labelled_axes(x), all); };
    switch (at_zero) {
        case AtZero::never:
            return false;
        case AtZero::any_operand:
            return !zero.empty() && includes(zero, all);
        case AtZero::all_operands:
            return all_zero && std::all_of(operands.begin(), operands.end(), covers_all);
        case AtZero::first_operand:
            return !operands.empty() && operands[0].vanishes && covers_all(operands[0]);
        case AtZero::always:
            return true;
    }
    return false;
}

/// Broadcasts all tensors among the inputs; one input is the identity on labels.
template <AtZero at_zero>
void elementwise(Labelling& l, const TracedNode& node) {
    std::vector<Labelled> operands;
    const auto outputs = l.graph().tensor_outputs(node);
    for (const size_t value : l.graph().tensor_inputs(node)) {
        operands.push_back(l.labels(value));
        for (size_t dim = 0; dim < l.shape(value).size(); ++dim) l.mark(value, dim, Role::channelwise);
    }
    for (const size_t output : outputs) {
        const auto& shape = l.shape(output);
        const bool fits = std::all_of(operands.begin(), operands.end(),
                                      [&](const Labelled& x) { return x.shape.size() <= shape.size(); });
        if (!fits) return freeze_inputs(l, node, "no coupling rule for this form of the operator");
        auto result =
            operands.size() == 1 && operands[0].shape == shape ? operands[0] : l.broadcast(operands, shape);
        result.vanishes = result_vanishes(at_zero, operands, result);
        l.set(output, std::move(result));
    }
}

/// Another tensor among the arguments says which type the result has.
void copied(Labelling& l, const TracedNode& node) {
    const size_t value = node.inputs[0];
    for (size_t dim = 0; dim < l.shape(value).size(); ++dim) l.mark(value, dim, Role::channelwise);
    l.set(node.outputs[0], l.labels(value));
}

/// x + number: zero channels stay zero only when the number is.
void add_or_subtract(Labelling& l, const TracedNode& node) {
    const bool tensors = l.is_tensor(node, 0) && l.is_tensor(node, 1);
    (tensors ? elementwise<AtZero::all_operands> : elementwise<AtZero::never>)(l, node);
}

/// x ^ exponent for a positive number.
void power(Labelling& l, const TracedNode& node) {
    const auto exponent = l.is_tensor(node, 1) ? std::nullopt : l.graph().number(node.inputs[1]);
    (exponent && *exponent > 0 ? elementwise<AtZero::first_operand> : elementwise<AtZero::never>)(l, node);
}

/// Whether an argument is no number above (below, for a factor of -1) zero; an argument that is not there
/// limits nothing.
bool allows_zero(const TracedGraph& graph, const TracedNode& node, size_t argument, double factor) {
    if (argument == 0 || argument >= node.inputs.size()) return true;
    const auto& constant = graph.values[node.inputs[argument]].constant;
    const auto number = graph.number(node.inputs[argument]);
    return (constant && constant->isNone()) || (number && factor * *number <= 0);
}

/// Between numbers; 0: there is no such argument.
template <size_t low, size_t high>
void clamped(Labelling& l, const TracedNode& node) {
    const bool stays = allows_zero(l.graph(), node, low, 1) && allows_zero(l.graph(), node, high, -1);
    (stays ? elementwise<AtZero::first_operand> : elementwise<AtZero::never>)(l, node);
}

/// masked_fill(x, mask, number)
void fill_masked(Labelling& l, const TracedNode& node) {
    const bool with_zero = l.graph().number(node.inputs[2]) == 0.0;
    (with_zero ? elementwise<AtZero::first_operand> : elementwise<AtZero::never>)(l, node);
}

/// Every entry of argument `of` is looked up in a list of numbers, argument `list`.
template <size_t of, size_t list>
void look_up_entries(Labelling& l, const TracedNode& node) {
    if (!l.is_tensor(node, of)) return freeze_inputs(l, node, kNotConstant);
    if (l.is_tensor(node, list)) l.freeze_all(node.inputs[list], "a list in which others are looked up");
    auto x = l.labels(node.inputs[of]);
    x.vanishes = false;
    l.set(node.outputs[0], std::move(x));
}

constexpr LabelRule kZeroStays = elementwise<AtZero::first_operand>;
constexpr LabelRule kZeroLost = elementwise<AtZero::never>;

void add_activations(std::vector<Operator>& all) {
    add(all, {.labels = kZeroStays, .shape = shape_of_first},
        {"relu", "relu_", "relu6", "relu6_", "leaky_relu", "leaky_relu_", "selu", "celu", "mish", "hardswish",
         "hardswish_", "dropout", "dropout_", "feature_dropout"});
    add(all, {.labels = kZeroStays},
        {"elu", "elu_", "selu_", "celu_", "gelu", "gelu_", "silu", "silu_", "mish_", "tanh", "tanh_",
         "hardshrink", "softshrink", "rrelu", "feature_dropout_"});
    add(all, {.labels = kZeroLost, .shape = shape_of_first}, {"hardsigmoid", "hardsigmoid_", "log_sigmoid"});
    add(all, {.labels = clamped<1, 2>, .shape = shape_of_first}, {"hardtanh", "hardtanh_"});
    add(all, {.labels = kZeroLost},
        {"threshold", "threshold_", "sigmoid", "sigmoid_", "softplus", "alpha_dropout",
         "feature_alpha_dropout"});
}

/// Of one number each.
void add_functions(std::vector<Operator>& all) {
    add(all, {.labels = kZeroStays},
        {"log1p",     "expm1",  "sqrt",    "sqrt_",   "abs",        "abs_",          "neg",
         "neg_",      "square", "square_", "erf",     "sin",        "tan",           "atan",
         "sign",      "floor",  "ceil",    "round",   "nan_to_num", "trunc",         "sin_",
         "sinh",      "asin",   "asinh",   "atanh",   "erfinv",     "sgn",           "frac",
         "expm1_",    "log1p_", "deg2rad", "rad2deg", "absolute",   "absolute_",     "negative",
         "negative_", "atan_",  "arctan",  "arcsin",  "tan_",       "erf_",          "floor_",
         "ceil_",     "round_", "trunc_",  "sign_",   "fix",        "conj_physical", "angle"});
    add(all, {.labels = kZeroLost},
        {"exp",        "exp_",        "log",  "log_",  "rsqrt", "rsqrt_", "cos",
         "reciprocal", "reciprocal_", "exp2", "log2",  "log10", "cos_",   "cosh",
         "acos",       "acosh",       "erfc", "logit", "sinc",  "lgamma", "digamma"});
    add(all, {.labels = kZeroLost}, {"logical_not", "bitwise_not", "isnan", "isinf", "isfinite", "signbit"});
    add(all, {.labels = clamped<1, 2>}, {"clamp", "clamp_", "clip", "clip_"});
    add(all, {.labels = clamped<1, 0>}, {"clamp_min", "clamp_min_"});
    add(all, {.labels = clamped<0, 1>}, {"clamp_max", "clamp_max_"});
    add(all, {.labels = look_up_entries<1, 0>}, {"searchsorted"});
    add(all, {.labels = look_up_entries<0, 1>}, {"bucketize", "isin"});
    add(all, {.labels = power}, {"pow", "pow_"});
}

/// Of several tensors, or of tensors and numbers.
void add_arithmetic(std::vector<Operator>& all) {
    add(all, {.labels = add_or_subtract}, {"add", "add_", "sub", "sub_", "rsub", "subtract"});
    add(all, {.labels = elementwise<AtZero::any_operand>}, {"mul", "mul_", "multiply", "multiply_"});
    add(all, {.labels = elementwise<AtZero::all_operands>}, {"maximum", "minimum", "copy_"});
    add(all, {.labels = kZeroStays}, {"div", "div_", "true_divide", "true_divide_", "divide", "divide_"});
    add(all, {.labels = kZeroLost},
        {"floor_divide", "remainder", "fmod", "float_power", "atan2", "hypot", "lerp", "lerp_", "addcmul",
         "addcmul_", "addcdiv", "addcdiv_"});
    add(all, {.labels = kZeroStays}, {"xlogy", "copysign", "polar", "ldexp"});
    add(all, {.labels = elementwise<AtZero::all_operands>}, {"fmax", "fmin", "complex"});
    add(all, {.labels = kZeroLost},
        {"logaddexp", "logaddexp2", "where", "fill_", "heaviside", "broadcast_tensors"});
    add(all, {.labels = fill_masked}, {"masked_fill", "masked_fill_"});
    add(all, {.labels = kZeroLost},
        {"eq", "ne", "lt", "le", "gt", "ge", "not_equal", "less", "less_equal", "greater", "greater_equal",
         "isclose", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "__and__",
         "__or__"});
}

/// The same numbers elsewhere, or others in a tensor of the same form.
void add_copies(std::vector<Operator>& all) {
    add(all, {.labels = copied, .memory = Memory::view},
        {"contiguous", "detach", "alias", "to", "type_as", "lift_fresh", "resolve_conj", "resolve_neg", "cpu",
         "cuda", "positive", "conj", "_conj", "real", "imag"});
    add(all, {.labels = copied}, {"clone", "detach_", "_to_copy", "requires_grad_"});
    add(all, {.labels = elementwise<AtZero::always>}, {"zeros_like", "zero_"});
    add(all, {.labels = kZeroLost}, {"ones_like", "full_like", "rand_like", "randn_like", "empty_like"});
}

}  // namespace

void add_elementwise(std::vector<Operator>& all) {
    add_activations(all);
    add_functions(all);
    add_arithmetic(all);
    add_copies(all);
}

}  // namespace mtlprune
