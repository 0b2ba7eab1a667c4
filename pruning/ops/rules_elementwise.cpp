// Operators that treat every channel alone: activations, arithmetic, pooling, interpolation.
#include <algorithm>
#include <set>

#include "pruning/coupling/label_propagation.h"

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

/// The last `spatial` axes are resampled, all others pass.
template <size_t spatial>
void resample(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    for (size_t input = 1; input < node.inputs.size(); ++input)
        if (l.is_tensor(node, input)) l.freeze_all(node.inputs[input], "says where to sample");
    for (size_t axis = x.shape.size() - spatial; axis < x.shape.size(); ++axis)
        l.fix_axis(x, axis, "resamples this axis");
    for (const size_t output : l.graph().tensor_outputs(node)) {
        x.shape = l.shape(output);
        l.set(output, x);
    }
}

/// What it holds depends on shapes alone, which follow: labels of its own, unless it copies the shape of a
/// tensor.
template <bool with_zeros>
void filled(Labelling& l, const TracedNode& node) {
    for (const size_t output : l.graph().tensor_outputs(node)) {
        auto x = l.fresh(l.shape(output));
        x.vanishes = with_zeros;
        l.set(output, std::move(x));
    }
}

/// Reads sizes or types only: no value of a channel reaches the result.
void metadata(Labelling&, const TracedNode&) {}

}  // namespace

void add_elementwise_rules(RuleTable& rules) {
    add_rules(rules, elementwise<AtZero::first_operand>,
              {"relu",
               "relu_",
               "relu6",
               "relu6_",
               "leaky_relu",
               "leaky_relu_",
               "elu",
               "elu_",
               "selu",
               "selu_",
               "celu",
               "celu_",
               "gelu",
               "gelu_",
               "silu",
               "silu_",
               "mish",
               "mish_",
               "hardswish",
               "hardswish_",
               "tanh",
               "tanh_",
               "log1p",
               "expm1",
               "sqrt",
               "sqrt_",
               "abs",
               "abs_",
               "neg",
               "neg_",
               "square",
               "square_",
               "softsign",
               "erf",
               "sin",
               "tan",
               "atan",
               "sign",
               "floor",
               "ceil",
               "round",
               "hardshrink",
               "softshrink",
               "rrelu",
               "nan_to_num",
               "trunc",
               "dropout",
               "dropout_",
               "contiguous",
               "clone",
               "detach",
               "detach_",
               "alias",
               "to",
               "type_as",
               "_to_copy",
               "lift_fresh",
               "feature_dropout",
               "feature_dropout_",
               "resolve_conj",
               "cpu",
               "cuda",
               "float",
               "double",
               "half",
               "requires_grad_"});
    add_rules(rules, elementwise<AtZero::always>, {"zeros_like", "zero_"});
    add_rules(rules, elementwise<AtZero::never>,
              {"hardsigmoid",
               "hardsigmoid_",
               "hardtanh",
               "hardtanh_",
               "threshold",
               "threshold_",
               "sigmoid",
               "sigmoid_",
               "softplus",
               "exp",
               "exp_",
               "log",
               "log_",
               "rsqrt",
               "rsqrt_",
               "clamp",
               "clamp_",
               "clamp_min",
               "clamp_min_",
               "clamp_max",
               "clamp_max_",
               "log_sigmoid",
               "cos",
               "reciprocal",
               "reciprocal_",
               "logical_not",
               "bitwise_not",
               "isnan",
               "isinf",
               "alpha_dropout",
               "feature_alpha_dropout",
               "ones_like",
               "full_like",
               "rand_like",
               "randn_like",
               "empty_like",
               "fill_",
               "floor_divide",
               "remainder",
               "fmod",
               "where",
               "lerp",
               "lerp_",
               "addcmul",
               "addcmul_",
               "addcdiv",
               "addcdiv_",
               "atan2",
               "hypot",
               "eq",
               "ne",
               "lt",
               "le",
               "gt",
               "ge",
               "masked_fill",
               "masked_fill_",
               "logical_and",
               "logical_or",
               "logical_xor",
               "bitwise_and",
               "bitwise_or",
               "__and__",
               "__or__",
               "float_power"});
    add_rules(rules, elementwise<AtZero::any_operand>, {"mul", "mul_", "multiply", "multiply_"});
    add_rules(rules, elementwise<AtZero::first_operand>, {"div", "div_", "true_divide", "divide", "divide_"});
    add_rules(rules, elementwise<AtZero::all_operands>, {"maximum", "minimum", "copy_"});
    add_rules(rules, add_or_subtract, {"add", "add_", "sub", "sub_", "rsub", "subtract"});
    add_rules(rules, power, {"pow", "pow_"});
    add_rules(
        rules, resample<1>,
        {"max_pool1d", "max_pool1d_with_indices", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d",
         "upsample_linear1d", "upsample_nearest1d", "reflection_pad1d", "replication_pad1d", "lp_pool1d"});
    add_rules(rules, resample<2>,
              {"max_pool2d", "max_pool2d_with_indices", "avg_pool2d", "adaptive_avg_pool2d",
               "_adaptive_avg_pool2d", "adaptive_max_pool2d", "upsample_nearest2d", "upsample_bilinear2d",
               "upsample_bicubic2d", "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa",
               "reflection_pad2d", "replication_pad2d", "grid_sampler", "grid_sampler_2d"});
    add_rules(rules, resample<3>,
              {"max_pool3d", "max_pool3d_with_indices", "avg_pool3d", "adaptive_avg_pool3d",
               "_adaptive_avg_pool3d", "adaptive_max_pool3d", "upsample_nearest3d", "upsample_trilinear3d",
               "reflection_pad3d", "replication_pad3d"});
    add_rules(rules, filled<false>,
              {"ones", "full", "empty", "rand", "randn", "new_ones", "new_full", "new_empty"});
    add_rules(rules, filled<true>, {"zeros", "new_zeros"});
    add_rules(rules, metadata,
              {"size", "sym_size", "Int", "IntImplicit", "Float", "FloatImplicit", "Bool", "ScalarImplicit",
               "dim", "numel", "len", "__getitem__", "_shape_as_tensor", "item", "is_floating_point"});
    rules["prim::ListUnpack"] = [](Labelling& l, const TracedNode& node) {
        for (size_t i = 0; i < node.outputs.size() && i < node.inputs.size(); ++i)
            if (l.is_tensor(node, i)) l.set(node.outputs[i], l.labels(node.inputs[i]));
    };
    rules["prim::NumToTensor"] = metadata;
}

}  // namespace mtlprune
