// Operators that multiply by weights, and normalisation with stored statistics.
#include "pruning/coupling/label_propagation.h"

namespace mtlprune {
namespace {

constexpr const char* kFixedInput = "reads or produces channels that cannot shrink";

bool is_transposed(const TracedGraph& graph, const TracedNode& node) {
    const bool general = node.kind == "aten::_convolution" || node.kind == "aten::convolution";
    return general ? graph.integer(node.inputs[6], 0) != 0 : node.kind.rfind("aten::conv_transpose", 0) == 0;
}

AxisLabels repeat_each(const AxisLabels& axis, int64_t times) {
    AxisLabels result;
    for (const Label label : axis) result.insert(result.end(), times, label);
    return result;
}

AxisLabels tile(const AxisLabels& axis, int64_t times) {
    AxisLabels result;
    for (int64_t i = 0; i < times; ++i) result.insert(result.end(), axis.begin(), axis.end());
    return result;
}

/// Every group has the same positions left: input (q, i) goes with dim 1 index i, rows (q, j) of dim 0 over
/// all q.
AxisLabels grouped(Labelling& l, const AxisLabels& channels, size_t weight, int64_t groups) {
    const auto& labels = l.labels(weight);
    l.mark(weight, 0, Role::output);
    l.mark(weight, 1, Role::input);
    if (groups > 1) l.join_periodic(labels[0], l.shape(weight)[0] / groups);
    l.join(channels, tile(labels[1], groups), kFixedInput);
    return labels[0];
}

/// Dim 0 is the input side; output (q, j) carries the label of dim 1 index j.
AxisLabels transposed(Labelling& l, const AxisLabels& channels, size_t weight, int64_t groups) {
    const auto& labels = l.labels(weight);
    l.mark(weight, 1, Role::output);
    l.mark(weight, 0, Role::input);
    if (groups > 1) l.join_periodic(labels[0], l.shape(weight)[0] / groups);
    l.join(channels, labels[0], kFixedInput);
    return tile(labels[1], groups);
}

/// Channel q of the input is all that the rows q * multiplier ... of dim 0 see; the number of groups follows.
AxisLabels depthwise(Labelling& l, const AxisLabels& channels, size_t weight, int64_t groups) {
    const auto& labels = l.labels(weight);
    l.mark(weight, 0, Role::channelwise);
    l.join(repeat_each(channels, l.shape(weight)[0] / groups), labels[0], kFixedInput);
    return labels[0];
}

void convolution(Labelling& l, const TracedNode& node) {
    const auto& x = l.labels(node.inputs[0]);
    const size_t weight = node.inputs[1];
    const size_t channel_axis = x.size() - (l.shape(weight).size() - 1);
    for (size_t axis = channel_axis + 1; axis < x.size(); ++axis) l.freeze(x[axis], "slides over this axis");
    for (size_t dim = 2; dim < l.shape(weight).size(); ++dim)
        l.freeze(l.labels(weight)[dim], "size of the kernel");

    const bool is_back = is_transposed(l.graph(), node);
    const auto& many = l.shape(is_back ? node.outputs[0] : node.inputs[0]);
    const int64_t groups = many[channel_axis] / l.shape(weight)[1];
    const bool is_depthwise = !is_back && groups > 1 && l.shape(weight)[1] == 1;
    const auto rule = is_back ? transposed : is_depthwise ? depthwise : grouped;
    TensorLabels out(x.size());
    for (size_t axis = 0; axis < channel_axis; ++axis) out[axis] = x[axis];
    out[channel_axis] = rule(l, x[channel_axis], weight, groups);
    if (l.is_tensor(node, 2)) {
        l.mark(node.inputs[2], 0, is_depthwise ? Role::channelwise : Role::output);
        l.join(out[channel_axis], l.labels(node.inputs[2])[0], kFixedInput);
    }
    l.set(node.outputs[0], std::move(out));
}

/// x [..., I] with weight [O, I] and bias [O].
void linear(Labelling& l, const TracedNode& node) {
    TensorLabels out = l.labels(node.inputs[0]);
    const auto& weight = l.labels(node.inputs[1]);
    if (weight.size() != 2) {
        for (const size_t value : l.graph().tensor_inputs(node))
            l.freeze_all(l.labels(value), "weight is no matrix");
        return;
    }
    l.mark(node.inputs[1], 0, Role::output);
    l.mark(node.inputs[1], 1, Role::input);
    l.join(out.back(), weight[1], kFixedInput);
    out.back() = weight[0];
    if (l.is_tensor(node, 2)) {
        l.mark(node.inputs[2], 0, Role::output);
        l.join(weight[0], l.labels(node.inputs[2])[0], kFixedInput);
    }
    l.set(node.outputs[0], std::move(out));
}

/// Labels of a @ b with both of rank 2 or more.
TensorLabels product(Labelling& l, size_t a, size_t b, const std::vector<int64_t>& shape) {
    auto left = l.operand(a);
    auto right = l.operand(b);
    const auto rows = left.labels[left.labels.size() - 2];
    const auto columns = right.labels.back();
    const auto& inner_left = left.labels.back();
    const auto& inner_right = right.labels[right.labels.size() - 2];
    l.mark(b, right.labels.size() - 1, Role::output);
    l.mark(b, right.labels.size() - 2, Role::input);
    l.mark(a, left.labels.size() - 2, Role::output);
    l.mark(a, left.labels.size() - 1, Role::input);
    l.join(inner_left, inner_right, kFixedInput);
    for (auto* operand : {&left, &right}) {
        operand->labels.resize(operand->labels.size() - 2);
        operand->shape.resize(operand->shape.size() - 2);
    }
    auto out = l.broadcast({left, right}, {shape.begin(), shape.end() - 2});
    out.push_back(rows);
    out.push_back(columns);
    return out;
}

void matrix_product(Labelling& l, const TracedNode& node) {
    const size_t a = node.inputs[0], b = node.inputs[1], out = node.outputs[0];
    if (l.shape(a).size() >= 2 && l.shape(b).size() >= 2) return l.set(out, product(l, a, b, l.shape(out)));
    for (const size_t value : {a, b}) l.freeze_all(l.labels(value), "product with a vector");
}

/// beta * input + alpha * (a @ b)
void addmm(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    const Operand result{product(l, node.inputs[1], node.inputs[2], shape), shape};
    const auto bias = l.operand(node.inputs[0]);
    for (size_t dim = 0; dim < bias.shape.size(); ++dim) l.mark(node.inputs[0], dim, Role::output);
    l.set(node.outputs[0], l.broadcast({result, bias}, shape));
}

/// Batch and instance norm: weight, bias and running statistics [C] belong to axis 1.
void channel_norm(Labelling& l, const TracedNode& node) {
    const auto& x = l.labels(node.inputs[0]);
    for (size_t input = 1; input <= 4; ++input) {
        if (!l.is_tensor(node, input)) continue;
        l.mark(node.inputs[input], 0, Role::channelwise);
        l.join(x[1], l.labels(node.inputs[input])[0], kFixedInput);
    }
    l.set(node.outputs[0], x);
}

/// weight [C] (or [1]) belongs to axis 1.
void prelu(Labelling& l, const TracedNode& node) {
    const auto& x = l.labels(node.inputs[0]);
    const auto& weight = l.labels(node.inputs[1])[0];
    l.mark(node.inputs[1], 0, Role::channelwise);
    if (x.size() > 1 && l.shape(node.inputs[1])[0] > 1)
        l.join(x[1], weight, kFixedInput);
    else
        l.freeze(weight, "one slope for all channels");
    l.set(node.outputs[0], x);
}

}  // namespace

void add_weight_rules(RuleTable& rules) {
    for (const char* kind : {"_convolution", "convolution", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
                             "conv_transpose2d", "conv_transpose3d"})
        rules[std::string("aten::") + kind] = convolution;
    rules["aten::linear"] = linear;
    rules["aten::addmm"] = addmm;
    for (const char* kind : {"mm", "bmm", "matmul"}) rules[std::string("aten::") + kind] = matrix_product;
    for (const char* kind : {"batch_norm", "instance_norm"})
        rules[std::string("aten::") + kind] = channel_norm;
    rules["aten::prelu"] = prelu;
}

}  // namespace mtlprune
