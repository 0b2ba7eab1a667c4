#include "pruning/evidence/gate_members.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "pruning/ops/operator.h"

namespace mtlprune {
namespace {

bool is_batch_norm(const TracedNode& node) {
    return operator_of(node.kind).scored == Scored::batch_norm_scale;
}

/// A graph seen from its stored tensors.
class Walk {
  public:
    explicit Walk(const TracedGraph& graph) : graph_(graph), uses_(graph) {
        for (const auto& stored : graph.stored) {
            names_[stored.value] = stored.name;
            values_[stored.name] = stored.value;
        }
    }

    /// The last batch norm of the group that everything this producer puts out goes through, one operator
    /// after another.
    std::optional<size_t> last_norm(const Group& group, const std::string& producer) {
        const auto found = values_.find(producer);
        if (found == values_.end() || uses_.readers[found->second].size() != 1) return {};
        for (const auto& member : group.members)
            (member.role == Role::channelwise ? passes_ : stops_).insert(member.tensor);
        std::optional<size_t> norm;
        size_t node = uses_.readers[found->second].front();
        while (const auto next = only_reader(node)) {
            node = *next;
            if (reads_any(node, stops_)) break;
            if (is_batch_norm(graph_.nodes[node]) && reads_any(node, passes_)) norm = node;
        }
        passes_.clear();
        stops_.clear();
        return norm;
    }

    /// Names of the norm's scale and shift; empty where it has none.
    std::string argument_name(size_t node, size_t argument) const {
        const auto found = names_.find(graph_.nodes[node].inputs.at(argument));
        return found == names_.end() ? "" : found->second;
    }

  private:
    /// The only node that reads what this one makes, if nothing else is read there but stored tensors.
    std::optional<size_t> only_reader(size_t node) const {
        const auto& outputs = graph_.nodes[node].outputs;
        if (outputs.empty() || uses_.readers[outputs[0]].size() != 1) return {};
        if (std::find(graph_.outputs.begin(), graph_.outputs.end(), outputs[0]) != graph_.outputs.end())
            return {};
        const size_t reader = uses_.readers[outputs[0]].front();
        for (const size_t input : graph_.tensor_inputs(graph_.nodes[reader]))
            if (input != outputs[0] && names_.find(input) == names_.end()) return {};
        return reader;
    }

    bool reads_any(size_t node, const std::unordered_set<std::string>& names) const {
        for (const size_t input : graph_.tensor_inputs(graph_.nodes[node])) {
            const auto found = names_.find(input);
            if (found != names_.end() && names.contains(found->second)) return true;
        }
        return false;
    }

    const TracedGraph& graph_;
    ValueUses uses_;
    std::unordered_map<size_t, std::string> names_;
    std::unordered_map<std::string, size_t> values_;
    std::unordered_set<std::string> passes_, stops_;
};

bool is_producer_weight(const Member& member) {
    return member.role == Role::output && !member.is_buffer && operator_of(member.op).scored == Scored::layer;
}

}  // namespace

GateMembers::GateMembers(const TracedGraph& graph, const std::vector<Group>& groups) {
    Walk walk(graph);
    for (const auto& group : groups) {
        if (group.frozen) continue;
        for (size_t m = 0; m < group.members.size(); ++m) {
            const auto& member = group.members[m];
            if (!is_producer_weight(member)) continue;
            const auto norm = walk.last_norm(group, member.tensor);
            if (!norm) continue;
            const auto first = static_cast<size_t>(operator_of(graph.nodes[*norm].kind).scale);
            const auto scale = walk.argument_name(*norm, first), shift = walk.argument_name(*norm, first + 1);
            if (scale.empty()) continue;
            replaced_by_[member.tensor] = scale;
            // A producer's bias is the argument behind its weight.
            if (m + 1 < group.members.size() && group.members[m + 1].op == member.op &&
                group.members[m + 1].argument == member.argument + 1)
                replaced_by_[group.members[m + 1].tensor] = scale;
            shift_of_[scale] = shift;
        }
    }
}

std::vector<const Member*> GateMembers::of(const Group& group) const {
    std::unordered_set<std::string> wanted;
    for (const auto& member : group.members) {
        if (member.role != Role::output || member.is_buffer) continue;
        const auto found = replaced_by_.find(member.tensor);
        wanted.insert(found == replaced_by_.end() ? member.tensor : found->second);
        if (found != replaced_by_.end()) wanted.insert(shift_of_.at(found->second));
    }
    std::vector<const Member*> members;
    for (const auto& member : group.members)
        if (wanted.contains(member.tensor) && member.role != Role::input) members.push_back(&member);
    return members;
}

}  // namespace mtlprune
