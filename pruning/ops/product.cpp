// Products that sum over shared axes: linear layers, matrix products, einsum. All are written as an einsum.
#include <c10/util/accumulate.h>
#include <torch/nn.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "pruning/ops/einsum_equation.h"
#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

constexpr const char* kProductNotZero = "channels are multiplied that are not zero when their weights are";

bool occurs(const Letters& letters, int letter) {
    return std::find(letters.begin(), letters.end(), letter) != letters.end();
}

bool repeats(Letters letters) {
    std::sort(letters.begin(), letters.end());
    return std::adjacent_find(letters.begin(), letters.end()) != letters.end();
}

/// x with one axis per letter 0..count-1; letters it lacks get size 1.
Labelled spread(const Labelled& x, const Letters& letters, size_t count) {
    Labelled result{std::vector<int64_t>(count, 1), x.arrays, x.vanishes};
    for (size_t axis = 0; axis < letters.size(); ++axis) result.shape[letters[axis]] = x.shape[axis];
    for (auto& array : result.arrays)
        for (auto& axis : array.axes) axis = static_cast<size_t>(letters[axis]);
    return result;
}

/// What a weight's axis does: read channels that are summed over, scale channels that others have too, or
/// make new ones.
Role role_of(int letter, size_t operand, const std::vector<Letters>& operands, const Letters& out) {
    if (!occurs(out, letter)) return Role::input;
    for (size_t other = 0; other < operands.size(); ++other)
        if (other != operand && occurs(operands[other], letter)) return Role::channelwise;
    return Role::output;
}

struct Product {
    std::vector<size_t> values;
    std::vector<Letters> letters;  ///< of each value
    Letters out;
};

std::vector<size_t> contracted_letters(const Product& product, size_t count) {
    std::vector<size_t> contracted;
    for (size_t letter = 0; letter < count; ++letter)
        if (!occurs(product.out, static_cast<int>(letter))) contracted.push_back(letter);
    return contracted;
}

/// The letter is summed over and another operand has it too.
bool contains_other(const Product& product, size_t operand, int letter) {
    if (occurs(product.out, letter)) return false;
    for (size_t other = 0; other < product.letters.size(); ++other)
        if (other != operand && occurs(product.letters[other], letter)) return true;
    return false;
}

/// Labels of the product, of this shape.
Labelled contract(Labelling& l, const Product& product, const std::vector<int64_t>& shape) {
    int last = 0;
    for (const auto& letters : product.letters)
        for (const int letter : letters) last = std::max(last, letter);
    const auto count = static_cast<size_t>(last) + 1;
    const auto contracted = contracted_letters(product, count);
    std::vector<Labelled> operands;
    std::vector<int64_t> sizes(count, 1);
    bool any_vanishes = false, all_vanish = true;
    const bool all_weights = std::all_of(product.values.begin(), product.values.end(),
                                         [&](size_t value) { return l.is_weight(value); });
    for (size_t i = 0; i < product.values.size(); ++i) {
        const auto& letters = product.letters[i];
        // A weight that is a product of weights: the last factor makes the channels that the others read.
        const bool makes_inner = all_weights && i + 1 == product.values.size() && i > 0;
        for (size_t axis = 0; axis < letters.size(); ++axis)
            l.mark(product.values[i], axis,
                   makes_inner && contains_other(product, i, letters[axis])
                       ? Role::output
                       : role_of(letters[axis], i, product.letters, product.out));
        auto x = spread(l.labels(product.values[i]), letters, count);
        l.separate(x, contracted);
        for (size_t axis = 0; axis < count; ++axis) sizes[axis] = std::max(sizes[axis], x.shape[axis]);
        any_vanishes = any_vanishes || x.vanishes;
        const bool passes_on = std::any_of(x.arrays.begin(), x.arrays.end(), [&](const LabelArray& array) {
            return occurs(product.out, static_cast<int>(array.axes[0]));
        });
        all_vanish = all_vanish && (x.vanishes || !passes_on);
        operands.push_back(std::move(x));
    }
    auto result = l.broadcast(std::move(operands), sizes);
    l.separate(result, contracted);
    for (const size_t letter : contracted) {
        if (!any_vanishes) l.fix_axis(result, letter, kProductNotZero);
        result.drop(letter);
    }
    std::vector<size_t> place(count);
    for (size_t i = 0; i < product.out.size(); ++i) place[product.out[i]] = i;
    for (auto& array : result.arrays)
        for (auto& axis : array.axes) axis = place[axis];
    return {shape, std::move(result.arrays), all_vanish};
}

Letters counted(size_t rank, int first) {
    Letters letters(rank);
    std::iota(letters.begin(), letters.end(), first);
    return letters;
}

/// a @ b as torch.matmul: batch axes are aligned from the right; vectors are rows or columns.
Product matmul_of(const Labelling& l, size_t a, size_t b) {
    const size_t rank_a = l.shape(a).size(), rank_b = l.shape(b).size();
    const size_t batch = std::max({rank_a, rank_b, size_t{2}}) - 2;
    const int row = static_cast<int>(batch), inner = row + 1, column = row + 2;
    const auto batch_letters = [&](size_t rank) {
        const size_t own = rank > 2 ? rank - 2 : 0;
        return counted(own, static_cast<int>(batch - own));
    };
    Product product{{a, b}, {batch_letters(rank_a), batch_letters(rank_b)}, counted(batch, 0)};
    if (rank_a > 1) product.letters[0].push_back(row);
    product.letters[0].push_back(inner);
    product.letters[1].push_back(inner);
    if (rank_b > 1) product.letters[1].push_back(column);
    if (rank_a > 1) product.out.push_back(row);
    if (rank_b > 1) product.out.push_back(column);
    return product;
}

void matmul(Labelling& l, const TracedNode& node) {
    const size_t a = node.inputs[0], b = node.inputs[1], out = node.outputs[0];
    l.set(out, contract(l, matmul_of(l, a, b), l.shape(out)));
}

/// x [..., I] with weight [O, I] and bias [O]. Written out because most networks consist of it.
void linear(Labelling& l, const TracedNode& node) {
    auto x = l.labels(node.inputs[0]);
    const size_t weight = node.inputs[1], out = node.outputs[0];
    if (l.shape(weight).size() != 2) return freeze_inputs(l, node, "weight is no matrix");
    const size_t last = x.shape.size() - 1;
    l.separate(x, {last});
    l.attach(weight, 1, l.alone(x, last), Role::input);
    x.drop(last);
    x.shape = l.shape(out);
    const auto fresh = l.fresh_axis(x.shape[last]);
    auto labels = l.attach(weight, 0, fresh, Role::output);
    // A bias is not zero where something else than its own channels left.
    const bool others_vanish = x.arrays.empty() || (x.vanishes && !l.is_tensor(node, 2));
    x.vanishes = l.vanishes(weight) && others_vanish;
    if (l.is_tensor(node, 2)) {
        labels = l.attach(node.inputs[2], 0, labels, Role::output);
        x.vanishes = x.vanishes && l.vanishes(node.inputs[2]);
    }
    if (labels) x.arrays.push_back({{last}, labels, {}});
    l.set(out, std::move(x));
}

/// beta * input + alpha * (a @ b)
void add_product(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    auto result = contract(l, matmul_of(l, node.inputs[1], node.inputs[2]), shape);
    const auto bias = l.labels(node.inputs[0]);
    for (size_t dim = 0; dim < bias.shape.size(); ++dim) l.mark(node.inputs[0], dim, Role::output);
    const bool vanishes = result.vanishes && bias.vanishes;
    result = l.broadcast({std::move(result), bias}, shape);
    result.vanishes = vanishes;
    l.set(node.outputs[0], std::move(result));
}

std::vector<size_t> ranks_of(const TracedGraph& graph, const std::vector<size_t>& values) {
    std::vector<size_t> ranks;
    ranks.reserve(values.size());
    for (const size_t value : values) ranks.push_back(graph.values[value].shape.size());
    return ranks;
}

/// "bnc,bnc->bc" over tensors; repeated letters in one operand freeze.
void einsum(Labelling& l, const TracedNode& node) {
    const auto& equation = l.graph().values[node.inputs[0]].constant;
    const auto& values = l.graph().values[node.inputs[1]].elements;
    if (!equation || !equation->isString()) return freeze_inputs(l, node, "its equation is no constant");
    const auto parsed = parse_einsum(equation->toStringRef(), ranks_of(l.graph(), values));
    if (std::any_of(parsed.operands.begin(), parsed.operands.end(), repeats))
        return freeze_inputs(l, node, "takes a diagonal");
    const Product product{values, parsed.operands, parsed.out};
    l.set(node.outputs[0], contract(l, product, l.shape(node.outputs[0])));
}

/// bilinear(x1 [..., I], x2 [..., J], weight [O, I, J], bias [O])
void bilinear(Labelling& l, const TracedNode& node) {
    const auto& shape = l.shape(node.outputs[0]);
    const size_t batch = shape.size() - 1;
    const int i = static_cast<int>(batch), j = i + 1, o = i + 2;
    Product product{{node.inputs[0], node.inputs[1], node.inputs[2]},
                    {counted(batch, 0), counted(batch, 0), {o, i, j}},
                    counted(batch, 0)};
    product.letters[0].push_back(i);
    product.letters[1].push_back(j);
    product.out.push_back(o);
    auto result = contract(l, product, shape);
    if (l.is_tensor(node, 3)) {
        auto labels = l.alone(result, batch);
        l.attach(node.inputs[3], 0, labels, Role::output);
    }
    l.set(node.outputs[0], std::move(result));
}

/// outer(a, b)
void outer(Labelling& l, const TracedNode& node) {
    l.set(node.outputs[0],
          contract(l, {{node.inputs[0], node.inputs[1]}, {{0}, {1}}, {0, 1}}, l.shape(node.outputs[0])));
}

/// inner(a [..., I], b [..., I])
void inner(Labelling& l, const TracedNode& node) {
    const size_t a = node.inputs[0], b = node.inputs[1];
    const size_t rank_a = l.shape(a).size(), rank_b = l.shape(b).size();
    if (rank_a == 0 || rank_b == 0) return freeze_inputs(l, node, "scales by a number");
    const int shared = static_cast<int>(rank_a) - 1;
    Product product{{a, b}, {counted(rank_a, 0), counted(rank_b, shared + 1)}, counted(rank_a - 1, 0)};
    for (size_t axis = 0; axis + 1 < rank_b; ++axis) product.out.push_back(product.letters[1][axis]);
    product.letters[1].back() = shared;
    l.set(node.outputs[0], contract(l, product, l.shape(node.outputs[0])));
}

/// tensordot(a, b, axes of a, axes of b): summed over those, in pairs.
void tensordot(Labelling& l, const TracedNode& node) {
    const auto of_a = l.graph().integers(node.inputs[2]), of_b = l.graph().integers(node.inputs[3]);
    const size_t a = node.inputs[0], b = node.inputs[1];
    const size_t rank_a = l.shape(a).size(), rank_b = l.shape(b).size();
    if (!of_a || !of_b || of_a->size() != of_b->size()) return freeze_inputs(l, node, kNotConstant);
    Product product{{a, b}, {counted(rank_a, 0), counted(rank_b, static_cast<int>(rank_a))}, {}};
    for (size_t i = 0; i < of_a->size(); ++i)
        product.letters[1][wrap_axis((*of_b)[i], rank_b)] = product.letters[0][wrap_axis((*of_a)[i], rank_a)];
    for (size_t operand = 0; operand < 2; ++operand)
        for (const int letter : product.letters[operand])
            if (!occurs(product.letters[1 - operand], letter)) product.out.push_back(letter);
    l.set(node.outputs[0], contract(l, product, l.shape(node.outputs[0])));
}

/// Every element of the result sums over as many products as the axes say.
int64_t tensordot_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto axes = graph.integers(node.inputs[2]);
    const auto& of_a = shapes[node.inputs[0]];
    int64_t macs = c10::multiply_integers(shapes[node.outputs[0]]);
    for (const int64_t axis : axes.value_or(std::vector<int64_t>{}))
        macs *= of_a[wrap_axis(axis, of_a.size())];
    return macs;
}

/// Every element of the result sums over the last axis of the first factor, input `first`.
template <size_t first>
int64_t product_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    return c10::multiply_integers(shapes[node.outputs[0]]) * shapes[node.inputs[first]].back();
}

/// One for every combination of indices and every product between two operands.
int64_t einsum_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    const auto& equation = graph.values[node.inputs[0]].constant;
    const auto& operands = graph.values[node.inputs[1]].elements;
    if (!equation || operands.size() < 2) return 0;
    const auto parsed = parse_einsum(equation->toStringRef(), ranks_of(graph, operands));
    std::map<int, int64_t> sizes;
    for (size_t i = 0; i < operands.size(); ++i)
        for (size_t axis = 0; axis < parsed.operands[i].size(); ++axis) {
            auto& size = sizes[parsed.operands[i][axis]];
            size = std::max(size, shapes[operands[i]][axis]);
        }
    int64_t combinations = static_cast<int64_t>(operands.size()) - 1;
    for (const auto& [letter, size] : sizes) combinations *= size;
    return combinations;
}

/// weight [O, I, J]: I J products of two inputs, each weighted.
int64_t bilinear_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    const auto& weight = shapes[node.inputs[2]];
    return c10::multiply_integers(shapes[node.outputs[0]]) * weight[1] * weight[2];
}

bool refresh_linear(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::LinearImpl>(module, [](auto& layer) {
        layer.options.out_features(layer.weight.size(0)).in_features(layer.weight.size(1));
    });
}

bool refresh_bilinear(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<torch::nn::BilinearImpl>(module, [](auto& layer) {
        layer.options.out_features(layer.weight.size(0))
            .in1_features(layer.weight.size(1))
            .in2_features(layer.weight.size(2));
    });
}

}  // namespace

void add_products(std::vector<Operator>& all) {
    add(all,
        {.labels = linear, .macs = product_macs<0>, .modules = {refresh_linear}, .scored = Scored::layer},
        {"linear"});
    add(all, {.labels = matmul, .macs = product_macs<0>, .scored = Scored::layer},
        {"mm", "bmm", "matmul", "linalg_matmul"});
    add(all, {.labels = matmul}, {"mv", "dot"});
    add(all, {.labels = add_product, .macs = product_macs<1>, .scored = Scored::layer}, {"addmm", "baddbmm"});
    add(all, {.labels = add_product}, {"addmv"});
    add(all, {.labels = einsum, .macs = einsum_macs, .scored = Scored::layer}, {"einsum"});
    add(all,
        {.labels = bilinear,
         .macs = bilinear_macs,
         .modules = {refresh_bilinear},
         .scored = Scored::not_asked},
        {"bilinear"});
    add(all, {.labels = inner, .macs = product_macs<0>, .scored = Scored::layer}, {"inner"});
    add(all, {.labels = tensordot, .macs = tensordot_macs, .scored = Scored::layer}, {"tensordot"});
    add(all, {.labels = outer}, {"outer", "ger"});
}

}  // namespace mtlprune
