#include "pruning/coupling/label_propagation.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtlprune {
namespace {

void freeze_unknown(Labelling& labelling, const TracedNode& node) {
    for (const size_t value : labelling.graph().tensor_inputs(node))
        labelling.freeze_all(labelling.labels(value), "no coupling rule for this operator");
}

void freeze_outputs(Labelling& labelling, const std::vector<size_t>& shrinkable) {
    const auto& outputs = labelling.graph().outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
        if (std::find(shrinkable.begin(), shrinkable.end(), i) != shrinkable.end()) continue;
        for (const auto& axis : labelling.labels(outputs[i]))
            for (const Label label : axis)
                labelling.sets().freeze(label, fmt::format("network output {}", i));
    }
}

}  // namespace

const RuleTable& coupling_rules() {
    static const RuleTable table = [] {
        RuleTable rules;
        add_weight_rules(rules);
        add_elementwise_rules(rules);
        add_shape_rules(rules);
        return rules;
    }();
    return table;
}

void propagate(Labelling& labelling, const std::vector<size_t>& shrinkable_outputs) {
    const auto& rules = coupling_rules();
    const auto& nodes = labelling.graph().nodes;
    for (size_t i = 0; i < nodes.size(); ++i) {
        labelling.begin(i);
        const auto rule = rules.find(nodes[i].kind);
        rule == rules.end() ? freeze_unknown(labelling, nodes[i]) : rule->second(labelling, nodes[i]);
    }
    freeze_outputs(labelling, shrinkable_outputs);
}

}  // namespace mtlprune
