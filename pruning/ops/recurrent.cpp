// Recurrent layers: a hidden unit is one channel over all gates of both matrices, the biases and the output.
#include <c10/util/accumulate.h>
#include <torch/nn.h>

#include <algorithm>
#include <type_traits>

#include "pruning/ops/families.h"

namespace mtlprune {
namespace {

struct Layers {
    int64_t gates, count, directions;
    bool biases;
    size_t per_direction() const { return biases ? 4 : 2; }
};

/// Labels of the units, and of what is handed on: the units themselves, or their projection (LSTM alone).
struct Units {
    LabelsPtr hidden, output;
    bool projects = false;
};

/// One layer in one direction: weights [gates * H, I] and [gates * H, P], biases [gates * H] and, where the
/// units are projected, [P, H]; else P = H.
void join_cell(Labelling& l, std::vector<size_t> weights, int64_t gates, const LabelsPtr& input,
               const Units& units) {
    if (units.projects) {
        l.attach(weights.back(), 0, units.output, Role::output);
        l.attach(weights.back(), 1, units.hidden, Role::input);
        weights.pop_back();
    }
    const auto rows = units.hidden ? share(tile(*units.hidden, gates)) : nullptr;
    l.attach(weights[0], 1, input, Role::input);
    l.attach(weights[0], 0, rows, Role::output);
    l.attach(weights[1], 1, units.output, Role::input);
    l.attach(weights[1], 0, rows, Role::output);
    for (size_t i = 2; i < weights.size(); ++i) l.attach(weights[i], 0, rows, Role::output);
}

/// The states [layers * directions, B, H] share their last axis, so all layers and directions lose the same
/// units.
LabelsPtr hidden_labels(Labelling& l, const std::vector<size_t>& states) {
    LabelsPtr hidden;
    for (size_t i = 0; i < states.size(); ++i) {
        auto x = l.labels(states[i]);
        const size_t last = x.shape.size() - 1;
        for (size_t axis = 0; axis < last; ++axis) l.fix_axis(x, axis, "states of a recurrent layer");
        const auto labels = l.alone(x, last);
        hidden = i == 0 ? labels : l.join(hidden, labels, "initial state of a fixed size");
    }
    return hidden;
}

/// A unit without weights and biases stays at zero when it starts there.
bool vanish(const Labelling& l, const std::vector<size_t>& states) {
    return std::all_of(states.begin(), states.end(), [&](size_t state) { return l.vanishes(state); });
}

/// The last outputs [.., P] and, of an LSTM, the cells [.., H].
void set_states(Labelling& l, const TracedNode& node, const Units& units, bool vanishes) {
    for (size_t i = 1; i < node.outputs.size(); ++i) {
        const auto& labels = i == 1 ? units.output : units.hidden;
        Labelled state{l.shape(node.outputs[i]), {}, vanishes};
        if (labels) state.arrays.push_back({{state.shape.size() - 1}, labels, {}});
        l.set(node.outputs[i], std::move(state));
    }
}

void recurrent(Labelling& l, const TracedNode& node, const std::vector<size_t>& states, Layers layers) {
    const auto& weights = l.graph().values[node.inputs[2]].elements;
    const size_t per = weights.size() / (layers.count * layers.directions);
    Units units;
    units.projects = per > layers.per_direction();
    auto x = l.labels(node.inputs[0]);
    const size_t last = x.shape.size() - 1;
    for (size_t axis = 0; axis < last; ++axis) l.fix_axis(x, axis, "runs along this axis");
    units.hidden = hidden_labels(l, units.projects ? std::vector<size_t>{states.at(1)} : states);
    units.output = units.projects ? hidden_labels(l, {states.at(0)}) : units.hidden;
    const auto output = units.output ? share(tile(*units.output, layers.directions)) : nullptr;
    auto input = l.alone(x, last);
    for (int64_t layer = 0; layer < layers.count; ++layer) {
        for (int64_t direction = 0; direction < layers.directions; ++direction) {
            const auto first =
                weights.begin() + static_cast<int64_t>(per) * (layer * layers.directions + direction);
            join_cell(l, {first, first + static_cast<int64_t>(per)}, layers.gates, input, units);
        }
        input = output;
    }
    const bool vanishes = vanish(l, states);
    Labelled out{l.shape(node.outputs[0]), {}, vanishes};
    if (output) out.arrays.push_back({{out.shape.size() - 1}, output, {}});
    l.set(node.outputs[0], std::move(out));
    set_states(l, node, units, vanishes);
}

/// lstm(x, [h, c], weights, has_biases, layers, dropout, train, bidirectional, batch_first), gru(x, h, ...);
/// the form for packed sequences has tensors in other places.
template <int64_t gates>
void layers(Labelling& l, const TracedNode& node) {
    const auto& graph = l.graph();
    if (node.inputs.size() != 9 || graph.values[node.inputs[2]].elements.empty())
        return freeze_inputs(l, node, "no coupling rule for packed sequences");
    const auto& given = graph.values[node.inputs[1]];
    const auto states = given.is_tensor ? std::vector<size_t>{node.inputs[1]} : given.elements;
    recurrent(l, node, states,
              {gates, graph.integer(node.inputs[4], 1), graph.integer(node.inputs[7], 0) != 0 ? 2 : 1,
               graph.integer(node.inputs[3], 1) != 0});
}

/// lstm_cell(x, [h, c], w_ih, w_hh, b_ih, b_hh), gru_cell(x, h, ...)
template <int64_t gates>
void cell(Labelling& l, const TracedNode& node) {
    const auto& given = l.graph().values[node.inputs[1]];
    const auto states = given.is_tensor ? std::vector<size_t>{node.inputs[1]} : given.elements;
    std::vector<size_t> weights;
    for (size_t i = 2; i < node.inputs.size(); ++i)
        if (l.is_tensor(node, i)) weights.push_back(node.inputs[i]);
    const auto hidden = hidden_labels(l, states);
    auto x = l.labels(node.inputs[0]);
    join_cell(l, weights, gates, l.alone(x, x.shape.size() - 1), {hidden, hidden});
    for (const size_t output : node.outputs) {
        Labelled out{l.shape(output), {}, vanish(l, states)};
        if (hidden) out.arrays.push_back({{out.shape.size() - 1}, hidden, {}});
        l.set(output, std::move(out));
    }
}

/// Every matrix is applied to every step of every sequence; biases are vectors.
int64_t matrices_macs(const std::vector<size_t>& weights, const std::vector<int64_t>& x,
                      const Shapes& shapes) {
    int64_t macs = 0;
    for (const size_t weight : weights)
        if (shapes[weight].size() == 2) macs += c10::multiply_integers(shapes[weight]);
    return macs * c10::multiply_integers(x) / std::max<int64_t>(1, x.back());
}

int64_t layers_macs(const TracedGraph& graph, const TracedNode& node, const Shapes& shapes) {
    return matrices_macs(graph.values[node.inputs[2]].elements, shapes[node.inputs[0]], shapes);
}

int64_t cell_macs(const TracedGraph&, const TracedNode& node, const Shapes& shapes) {
    return matrices_macs({node.inputs[2], node.inputs[3]}, shapes[node.inputs[0]], shapes);
}

/// What the modules check in forward are the options of their base.
template <typename Layer>
bool refresh_layers(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<Layer>(module, [](Layer& layer) {
        const auto parameters = layer.named_parameters(/*recurse=*/false);
        const int64_t inputs = parameters["weight_ih_l0"].size(1);
        const auto* projection = parameters.find("weight_hr_l0");
        const int64_t hidden =
            projection != nullptr ? projection->size(1) : parameters["weight_hh_l0"].size(1);
        layer.options.input_size(inputs).hidden_size(hidden);
        layer.options_base.input_size(inputs).hidden_size(hidden);
        if constexpr (std::is_same_v<Layer, torch::nn::LSTMImpl>) {
            if (projection == nullptr) return;
            layer.options.proj_size(projection->size(0));
            layer.options_base.proj_size(projection->size(0));
        }
    });
}

template <typename Cell>
bool refresh_cell(torch::nn::Module& module, const std::vector<int64_t>*) {
    return refresh_as<Cell>(module, [](Cell& layer) {
        const int64_t inputs = layer.weight_ih.size(1), hidden = layer.weight_hh.size(1);
        layer.options.input_size(inputs).hidden_size(hidden);
        layer.options_base.input_size(inputs).hidden_size(hidden);
    });
}

template <int64_t gates, typename Layer>
Operator layers_record() {
    return {.labels = layers<gates>,
            .macs = layers_macs,
            .modules = {refresh_layers<Layer>},
            .scored = Scored::not_asked};
}

template <int64_t gates, typename Cell>
Operator cell_record() {
    return {.labels = cell<gates>,
            .macs = cell_macs,
            .modules = {refresh_cell<Cell>},
            .scored = Scored::not_asked};
}

}  // namespace

void add_recurrent_layers(std::vector<Operator>& all) {
    using namespace torch::nn;
    add(all, layers_record<4, LSTMImpl>(), {"lstm"});
    add(all, layers_record<3, GRUImpl>(), {"gru"});
    add(all, layers_record<1, RNNImpl>(), {"rnn_tanh", "rnn_relu"});
    add(all, cell_record<4, LSTMCellImpl>(), {"lstm_cell"});
    add(all, cell_record<3, GRUCellImpl>(), {"gru_cell"});
    add(all, cell_record<1, RNNCellImpl>(), {"rnn_tanh_cell", "rnn_relu_cell"});
}

}  // namespace mtlprune
