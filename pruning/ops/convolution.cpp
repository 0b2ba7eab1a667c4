// Convolutions: plain, grouped, depthwise and transposed, with weights that are stored or computed.
#include <c10/util/accumulate.h>
#include <torch/nn.h>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

/// _convolution(..., dilation, transposed, output padding, groups, ...)
constexpr ConvolutionForm kAnyForm{5, 8, 7, 6};
/// conv2d(..., dilation, groups)
constexpr ConvolutionForm kForwardForm{5, 6, 0, 0};
/// conv_transpose2d(..., output padding, groups, dilation)
constexpr ConvolutionForm kTransposedForm{7, 6, 5, 0, true};

bool is_transposed(const TracedGraph& graph, const TracedNode& node) {
    const auto& form = *node.op->convolution;
    return form.always_transposed ||
           (form.is_transposed > 0 && graph.integer(node.inputs[form.is_transposed], 0) != 0);
}

/// Every group has the same positions left: input (q, i) goes with dim 1 index i, rows (q, j) of dim 0 over
/// all q.
LabelsPtr grouped(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t groups) {
    const auto& shape = l.shape(weight);
    if (groups == 1) {
        l.attach(weight, 1, channels, Role::input);
        return l.attach(weight, 0, l.fresh_axis(shape[0]), Role::output);
    }
    const auto columns = l.attach(weight, 1, l.fresh_axis(shape[1]), Role::input);
    l.join(channels, columns ? share(tile(*columns, groups)) : nullptr, "input of a grouped convolution");
    const auto rows = l.attach(weight, 0, l.fresh_axis(shape[0]), Role::output);
    l.join_periodic(rows, shape[0] / groups);
    if (shape[0] == groups) l.freeze(rows, "the only channel of its group");
    return rows;
}

/// Dim 0 is the input side; output (q, j) carries the label of dim 1 index j.
LabelsPtr transposed(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t groups) {
    const auto& shape = l.shape(weight);
    const auto rows = l.attach(weight, 0, channels, Role::input);
    if (groups > 1) l.join_periodic(rows, shape[0] / groups);
    const auto columns = l.attach(weight, 1, l.fresh_axis(shape[1]), Role::output);
    return columns && groups > 1 ? share(tile(*columns, groups)) : columns;
}

/// As depthwise; dim 0 is the input side, and dim 1 counts the output channels of each of them.
LabelsPtr depthwise_transposed(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t) {
    const auto rows = l.attach(weight, 0, channels, Role::channelwise);
    const int64_t multiplier = l.shape(weight)[1];
    return rows && multiplier > 1 ? share(repeat_each(*rows, multiplier)) : rows;
}

/// Channel q of the input is all that the rows q * multiplier ... of dim 0 see; the number of groups follows.
LabelsPtr depthwise(Labelling& l, const LabelsPtr& channels, size_t weight, int64_t groups) {
    const int64_t multiplier = l.shape(weight)[0] / groups;
    const auto rows = channels && multiplier > 1 ? share(repeat_each(*channels, multiplier)) : channels;
    return l.attach(weight, 0, rows, Role::channelwise);
}

/// Whether every position along the n-th spatial axis is computed from that position alone.
bool is_pointwise(const TracedGraph& graph, const TracedNode& node, int64_t kernel_size, size_t n) {
    const auto is = [&](const std::optional<std::vector<int64_t>>& sizes, int64_t wanted) {
        return sizes && !sizes->empty() && (sizes->size() == 1 ? sizes->front() : sizes->at(n)) == wanted;
    };
    const auto& padding = graph.values[node.inputs[4]].constant;
    const bool unpadded = (padding && padding->isString()) || is(graph.integers(node.inputs[4]), 0);
    return kernel_size == 1 && unpadded && is(graph.integers(node.inputs[3]), 1);
}

void fix_kernel(Labelling& l, size_t weight) {
    const size_t rank = l.shape(weight).size();
    if (l.is_stored(weight)) {
        for (size_t dim = 2; dim < rank; ++dim) l.fix_stored(weight, dim, "size of the kernel");
        return;
    }
    auto computed = l.labels(weight);
    for (size_t dim = 2; dim < rank; ++dim) l.fix_axis(computed, dim, "size of the kernel");
}

void convolution(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const size_t weight = node.inputs[1], out = node.outputs[0];
    const auto& kernel = l.shape(weight);
    const size_t channel_axis = x.shape.size() - (kernel.size() - 1);
    for (size_t n = 0; n + 2 < kernel.size(); ++n)
        if (const size_t axis = channel_axis + 1 + n;
            l.shape(out)[axis] != x.shape[axis] || !is_pointwise(l.graph(), node, kernel[n + 2], n))
            l.fix_axis(x, axis, "slides over this axis");
    fix_kernel(l, weight);

    const bool is_back = is_transposed(l.graph(), node);
    const auto& many = is_back ? l.shape(out) : x.shape;
    const int64_t groups = many[channel_axis] / kernel[1];
    const bool is_depthwise = !is_back && groups > 1 && kernel[1] == 1;
    const bool is_depthwise_back = is_back && groups > 1 && kernel[0] == groups;
    const auto rule = is_depthwise_back ? depthwise_transposed
                      : is_back         ? transposed
                      : is_depthwise    ? depthwise
                                        : grouped;
    auto labels = rule(l, l.alone(x, channel_axis), weight, groups);
    x.drop(channel_axis);
    // A bias is not zero where something else than its own channels left.
    const bool others_vanish = x.arrays.empty() || (x.vanishes && !l.is_tensor(node, 2));
    x.vanishes = l.vanishes(weight) && others_vanish;
    if (l.is_tensor(node, 2)) {
        labels = l.attach(node.inputs[2], 0, labels, is_depthwise ? Role::channelwise : Role::output);
        x.vanishes = x.vanishes && l.vanishes(node.inputs[2]);
    }
    x.shape = l.shape(out);
    if (labels) x.arrays.push_back({{channel_axis}, labels, {}});
    l.set(out, std::move(x));
}

int64_t entry(const std::vector<int64_t>& list, size_t i) {
    return list.size() == 1 ? list[0] : list[i];
}

template <const ConvolutionForm& form>
torch::Tensor convolution_shape(const std::vector<c10::IValue>& arguments) {
    const auto x = arguments[0].toTensor(), weight = arguments[1].toTensor();
    const auto& padding = arguments[4];
    const bool transposed =
        form.always_transposed || (form.is_transposed > 0 && arguments[form.is_transposed].toBool());
    const int64_t groups = arguments[form.groups].toInt();
    const auto output_padding =
        form.output_padding > 0 ? arguments[form.output_padding].toIntVector() : std::vector<int64_t>{0};
    const size_t spatial = weight.dim() - 2;
    auto shape = x.sizes().vec();
    const size_t channel = shape.size() - spatial - 1;
    const int64_t channels = transposed ? weight.size(0) : weight.size(1) * groups;
    TORCH_CHECK(shape[channel] == channels, "expected ", channels, " channels, found ", shape[channel]);
    shape[channel] = transposed ? weight.size(1) * groups : weight.size(0);
    const auto strides = arguments[3].toIntVector(), dilations = arguments[form.dilation].toIntVector();
    for (size_t i = 0; i < spatial; ++i) {
        auto& size = shape[channel + 1 + i];
        const int64_t reach = entry(dilations, i) * (weight.size(static_cast<int64_t>(i) + 2) - 1);
        if (padding.isString() && padding.toStringRef() == "same") continue;
        const int64_t pad = padding.isString() ? 0 : entry(padding.toIntVector(), i),
                      step = entry(strides, i);
        size = transposed ? (size - 1) * step - 2 * pad + reach + entry(output_padding, i) + 1
                          : (size + 2 * pad - reach - 1) / step + 1;
    }
    return on_meta(shape, x.scalar_type());
}

/// Every output element sums weight[o, ...]; transposed, every input element is spread over weight[i, ...].
int64_t convolution_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto& weight = shapes[node.inputs[1]];
    const auto& many = shapes[is_transposed(graph, node) ? node.inputs[0] : node.outputs[0]];
    if (weight[0] == 0) return 0;  // a layer whose channels are all masked
    return c10::multiply_integers(many) * (c10::multiply_integers(weight) / weight[0]);
}

/// A depthwise convolution has as many groups as channels.
void edit_groups(EditFinder& finder, const TracedNode& node) {
    const auto& graph = finder.graph();
    const size_t argument = node.op->convolution->groups;
    const auto& weight = graph.values[node.inputs[1]].shape;
    const int64_t old = graph.integer(node.inputs[argument], 1);
    const size_t axis = finder.rank(node.inputs[0]) - weight.size() + 1;
    const bool is_depthwise = is_transposed(graph, node) ? weight[0] == old : weight[1] == 1;
    if (old == 1 || !is_depthwise || !finder.kept().changes(node.inputs[0], axis)) return;
    finder.change(argument, -1, finder.kept().size(node.inputs[0], axis));
}

/// Whole blocks of `multiplier` rows left: with one input per group this is what tells channels of a
/// depthwise convolution from positions within the groups, where every block loses some rows and none loses
/// all.
bool lost_whole_blocks(const std::vector<int64_t>& rows, int64_t multiplier) {
    return static_cast<int64_t>(rows.size()) >= multiplier && rows[0] % multiplier == 0 &&
           rows[multiplier - 1] == rows[0] + multiplier - 1;
}

/// A depthwise convolution whose channels left keeps its multiplier and gets fewer groups; all others keep
/// their groups.
template <typename Layer>
bool refresh_convolution(torch::nn::Module& module, const std::vector<int64_t>* removed_rows) {
    return refresh_as<Layer>(module, [&](Layer& layer) {
        auto& options = layer.options;
        const auto& weight = layer.weight;
        const int64_t multiplier = options.out_channels() / options.groups();
        const bool one_input_each = options.groups() > 1 && options.groups() == options.in_channels();
        if (options.transposed() && one_input_each) options.groups(weight.size(0));
        if (!options.transposed() && one_input_each && removed_rows != nullptr &&
            lost_whole_blocks(*removed_rows, multiplier))
            options.groups(weight.size(0) / multiplier);
        const int64_t spread = weight.size(1) * options.groups();
        options.in_channels(options.transposed() ? weight.size(0) : spread);
        options.out_channels(options.transposed() ? spread : weight.size(0));
    });
}

template <typename Layer>
bool remember_groups(torch::nn::Module& module, std::vector<std::function<void()>>& reset) {
    return refresh_as<Layer>(module, [&](Layer& layer) {
        reset.push_back([&layer, groups = layer.options.groups()] { layer.options.groups(groups); });
    });
}

template <typename Layer>
constexpr ModuleOptions options_of() {
    return {refresh_convolution<Layer>, remember_groups<Layer>};
}

template <const ConvolutionForm& form>
Operator convolution_record(ModuleOptions modules = {}) {
    return {.labels = convolution,
            .shape = convolution_shape<form>,
            .macs = convolution_macs,
            .edits = edit_groups,
            .modules = modules,
            .scored = Scored::layer,
            .convolution = &form};
}

}  // namespace

void add_convolutions(std::vector<Operator>& all) {
    using namespace torch::nn;
    add(all, convolution_record<kForwardForm>(options_of<Conv2dImpl>()), {"conv2d"});
    add(all, convolution_record<kForwardForm>(options_of<Conv1dImpl>()), {"conv1d"});
    add(all, convolution_record<kForwardForm>(options_of<Conv3dImpl>()), {"conv3d"});
    add(all, convolution_record<kForwardForm>(), {"_convolution_mode"});
    add(all, convolution_record<kTransposedForm>(options_of<ConvTranspose1dImpl>()), {"conv_transpose1d"});
    add(all, convolution_record<kTransposedForm>(options_of<ConvTranspose2dImpl>()), {"conv_transpose2d"});
    add(all, convolution_record<kTransposedForm>(options_of<ConvTranspose3dImpl>()), {"conv_transpose3d"});
    add(all, convolution_record<kAnyForm>(), {"_convolution", "convolution"});
}

}  // namespace mtlprune
