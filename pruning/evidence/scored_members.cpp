#include "pruning/evidence/scored_members.h"

#include <functional>

#include "pruning/ops/operator.h"

namespace mtlprune {
namespace {

bool is_scale(const Member& member, Scored norm) {
    const auto& op = operator_of(member.op);
    return op.scored == norm && member.argument == op.scale && !member.is_buffer;
}

bool is_batch_norm_weight(const Member& member) {
    return is_scale(member, Scored::batch_norm_scale);
}

int64_t groups_of(const TracedGraph& graph, const TracedNode& node) {
    const size_t argument = node.op->convolution->groups;
    return argument < node.inputs.size() ? graph.integer(node.inputs[argument], 1) : 1;
}

/// Names of the stored tensors that a value is, or is computed from without reading an activation.
class Sources {
  public:
    explicit Sources(const TracedGraph& graph) {
        for (const auto& stored : graph.stored) names_[stored.value] = {stored.name};
        for (const auto& node : graph.nodes) {
            std::vector<std::string> names;
            for (const size_t input : graph.tensor_inputs(node)) {
                const auto found = names_.find(input);
                if (found == names_.end() || names_[input].empty()) {
                    names.clear();
                    break;
                }
                names.insert(names.end(), found->second.begin(), found->second.end());
            }
            if (names.size() > kMostSources) names.clear();
            for (const size_t output : node.outputs) names_[output] = names;
        }
    }
    const std::vector<std::string>& of(size_t value) { return names_[value]; }

  private:
    static constexpr size_t kMostSources = 8;  ///< weight norm has two
    std::unordered_map<size_t, std::vector<std::string>> names_;
};

/// torch.nn.MultiheadAttention keeps its projections under these names.
std::unordered_set<std::string> attention_projections(const TracedGraph& graph) {
    std::unordered_set<std::string> projections;
    for (const auto& stored : graph.stored)
        for (const std::string name : {"in_proj_weight", "q_proj_weight"}) {
            if (!stored.name.ends_with(name)) continue;
            const auto module = stored.name.substr(0, stored.name.size() - name.size());
            for (const char* own :
                 {"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"})
                projections.insert(module + own);
        }
    return projections;
}

std::vector<ScoredMember> select(const Group& group, const std::function<bool(const Member&)>& is_scored,
                                 const std::function<int64_t(const Member&)>& multiplicity) {
    std::vector<ScoredMember> selected;
    for (const auto& member : group.members)
        if (is_scored(member)) selected.push_back({&member, multiplicity(member)});
    return selected;
}

}  // namespace

ScoredMembers::ScoredMembers(const TracedGraph& graph) : attention_(attention_projections(graph)) {
    Sources sources(graph);
    for (const auto& stored : graph.stored)
        if (graph.values[stored.value].shape.size() < 2) vectors_.insert(stored.name);
    for (const auto& node : graph.nodes) {
        if (node.op->convolution == nullptr) continue;
        const int64_t groups = groups_of(graph, node);
        for (const auto& name : sources.of(node.inputs[1])) convolution_groups_[name] = groups;
    }
}

bool ScoredMembers::is_layer_weight(const Member& member) const {
    return operator_of(member.op).scored == Scored::layer && member.role != Role::channelwise &&
           !member.is_buffer && !vectors_.contains(member.tensor);
}

int64_t ScoredMembers::multiplicity(const Member& member) const {
    if (member.dim != 1 || operator_of(member.op).convolution == nullptr) return 1;
    const auto found = convolution_groups_.find(member.tensor);
    return found == convolution_groups_.end() ? 1 : found->second;
}

std::vector<ScoredMember> ScoredMembers::of(const Group& group) const {
    const auto count = [this](const Member& member) { return multiplicity(member); };
    auto scored = select(
        group,
        [this](const Member& member) {
            const bool is_norm = is_batch_norm_weight(member) || is_scale(member, Scored::layer_norm_scale);
            return is_norm || (is_layer_weight(member) && !attention_.contains(member.tensor));
        },
        count);
    if (scored.empty())
        scored = select(
            group, [](const Member& member) { return !member.is_buffer; }, count);
    return scored;
}

std::vector<ScoredMember> ScoredMembers::layers_of(const Group& group) const {
    return select(
        group, [this](const Member& member) { return is_layer_weight(member); },
        [this](const Member& member) { return multiplicity(member); });
}

std::vector<ScoredMember> ScoredMembers::batch_norms_of(const Group& group) const {
    return select(group, is_batch_norm_weight, [](const Member&) { return int64_t{1}; });
}

int64_t ScoredMembers::positions_per_channel(const Group& group) const {
    const auto& producer = group.members.front();
    return producer.per_channel * multiplicity(producer);
}

}  // namespace mtlprune
