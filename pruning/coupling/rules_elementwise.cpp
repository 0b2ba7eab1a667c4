// Operators that treat every channel alone: activations, arithmetic, pooling, interpolation.
#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

/// Broadcasts all tensors among the inputs; one input is the identity on labels.
void elementwise(Labelling& l, const TracedNode& node) {
    std::vector<Operand> operands;
    for (const size_t value : l.graph().tensor_inputs(node)) {
        operands.push_back(l.operand(value));
        for (size_t dim = 0; dim < l.shape(value).size(); ++dim) l.mark(value, dim, Role::channelwise);
    }
    for (const size_t output : node.outputs) l.set(output, l.broadcast(operands, l.shape(output)));
}

/// The last `spatial` axes are resampled, all others pass.
template <size_t spatial>
void resample(Labelling& l, const TracedNode& node) {
    auto labels = l.labels(node.inputs[0]);
    const size_t channels_end = labels.size() - spatial;
    for (size_t axis = channels_end; axis < labels.size(); ++axis) {
        l.freeze(labels[axis], "resamples this axis");
        labels[axis].clear();
    }
    for (const size_t output : node.outputs) l.set(output, labels);
}

/// Reads sizes or types only: no value of a channel reaches the result.
void metadata(Labelling&, const TracedNode&) {}

void add(RuleTable& rules, Rule rule, std::initializer_list<const char*> kinds) {
    for (const char* kind : kinds) rules[std::string("aten::") + kind] = rule;
}

}  // namespace

void add_elementwise_rules(RuleTable& rules) {
    add(rules, elementwise,
        {"relu",        "relu_",        "relu6",    "relu6_",    "leaky_relu", "leaky_relu_", "elu",
         "elu_",        "selu",         "selu_",    "celu",      "celu_",      "gelu",        "gelu_",
         "silu",        "silu_",        "mish",     "mish_",     "softplus",   "hardswish",   "hardswish_",
         "hardsigmoid", "hardsigmoid_", "hardtanh", "hardtanh_", "threshold",  "threshold_",  "sigmoid",
         "sigmoid_",    "tanh",         "tanh_",    "exp",       "exp_",       "log",         "log_",
         "sqrt",        "sqrt_",        "rsqrt",    "abs",       "neg",        "neg_",        "pow",
         "pow_",        "square",       "clamp",    "clamp_",    "clamp_min",  "clamp_min_",  "clamp_max",
         "log_sigmoid", "softsign",     "erf",      "sin",       "cos"});
    add(rules, elementwise,
        {"dropout", "dropout_", "feature_dropout", "feature_dropout_", "alpha_dropout", "contiguous", "clone",
         "detach", "alias", "to", "type_as", "zeros_like", "ones_like"});
    add(rules, elementwise, {"add",  "add_",    "sub",         "sub_",        "rsub",    "mul",   "mul_",
                             "div",  "div_",    "true_divide", "maximum",     "minimum", "copy_", "where",
                             "lerp", "addcmul", "addcdiv",     "eq",          "ne",      "lt",    "le",
                             "gt",   "ge",      "masked_fill", "masked_fill_"});
    add(rules, resample<1>,
        {"max_pool1d", "max_pool1d_with_indices", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d",
         "upsample_linear1d", "upsample_nearest1d"});
    add(rules, resample<2>,
        {"max_pool2d", "max_pool2d_with_indices", "avg_pool2d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d",
         "adaptive_max_pool2d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d",
         "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa"});
    add(rules, resample<3>,
        {"max_pool3d", "max_pool3d_with_indices", "avg_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d",
         "upsample_nearest3d", "upsample_trilinear3d"});
    add(rules, metadata, {"size", "sym_size", "Int", "ScalarImplicit", "dim", "numel"});
}

}  // namespace mtlprune
