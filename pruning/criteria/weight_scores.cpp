#include "pruning/criteria/weight_scores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/json_reader.h"
#include "base/random.h"
#include "pruning/criteria/filter_distances.h"
#include "pruning/criteria/scored_members.h"
#include "pruning/criteria/weight_sums.h"
#include "pruning/graph/script_tensors.h"

namespace mtlprune {
namespace {

/// What one group's score is made of, before any weight is read.
struct Request {
    const Group* group;
    std::vector<ScoredMember> members;
};

const torch::Tensor& tensor_of(const StoredTensors& tensors, const Group& group, const Member& member) {
    const auto found = tensors.find(member.tensor);
    if (found == tensors.end())
        throw Error("weight scores", "group " + group.name, "the tensor " + member.tensor,
                    "none of this name");
    const auto& tensor = found->second;
    const int64_t last = *std::max_element(member.indices.begin(), member.indices.end());
    const int64_t size = member.dim < tensor.dim() ? tensor.size(member.dim) : 0;
    if (last >= size)
        throw Error(
            "weight scores", "group " + group.name,
            fmt::format("{} with more than {} indices in dimension {}", member.tensor, last, member.dim),
            std::to_string(size));
    return tensor;
}

/// Sums over the slices of every tensor that some request names, each tensor read once.
class TensorSums {
  public:
    TensorSums(const std::vector<Request>& requests, const StoredTensors& tensors, int p) : p_(p) {
        std::vector<torch::Tensor> weights;
        for (const auto& request : requests)
            for (const auto& scored : request.members) {
                const auto& tensor = tensor_of(tensors, *request.group, *scored.member);
                if (number_.emplace(scored.member->tensor, weights.size()).second) weights.push_back(tensor);
                if (scored.member->dim >= 2) add_other_dimension(*scored.member, tensor);
            }
        sums_ = weight_sums(weights, p);
    }

    const ChannelValues& along(const Member& member) const {
        if (member.dim >= 2) return other_.at({member.tensor, member.dim});
        const auto& sums = sums_[number_.at(member.tensor)];
        return member.dim == 0 ? sums.rows : sums.columns;
    }

  private:
    void add_other_dimension(const Member& member, const torch::Tensor& tensor) {
        auto& sums = other_[{member.tensor, member.dim}];
        if (sums.empty()) sums = weight_sums_along(tensor, member.dim, p_);
    }

    int p_;
    std::unordered_map<std::string, size_t> number_;
    std::vector<WeightSums> sums_;
    std::map<std::pair<std::string, int64_t>, ChannelValues> other_;
};

/// A grouped convolution reads position i of each of its g groups with one index of its dimension 1, so that
/// index counts g times; the mean over the positions that the channel stands for then weighs it like the
/// producer's own slices, of which there are g.
ChannelValues channel_sums(const ScoredMember& scored, const ChannelValues& slices) {
    const auto& member = *scored.member;
    ChannelValues sums(member.indices.size() / member.per_channel);
    for (size_t c = 0; c < sums.size(); ++c)
        for (const int64_t index : member.channel(static_cast<int64_t>(c))) sums[c] += slices[index];
    for (auto& sum : sums) sum *= static_cast<double>(scored.multiplicity);
    return sums;
}

/// Before a normaliser spreads one bad channel over the group.
void require_finite(const Group& group, const ChannelValues& values) {
    for (size_t c = 0; c < values.size(); ++c)
        if (!std::isfinite(values[c]))
            throw Error("weight scores", fmt::format("group {} channel {}", group.name, c), "finite weights",
                        std::isnan(values[c]) ? "NaN" : "infinity");
}

torch::Tensor to_tensor(const ChannelValues& values) {
    return torch::tensor(values, torch::kFloat64);
}

ChannelValues random_values(uint64_t seed, size_t group, int64_t channels) {
    Random random(seed, Stream::method, group);
    ChannelValues values(channels);
    for (auto& value : values) value = random.uniform();
    return values;
}

class Scorer {
  public:
    Scorer(const TracedGraph& graph, const std::vector<Group>& groups, const StoredTensors& tensors,
           const WeightScoreOptions& options)
        : rule_(graph), groups_(groups), tensors_(tensors), options_(options) {
        result_.scores.assign(groups.size(), torch::empty({0}, torch::kFloat64));
    }

    WeightScores run() {
        switch (options_.score) {
            case WeightScore::random:
                score_at_random();
                break;
            case WeightScore::fpgm:
                score_distances();
                break;
            case WeightScore::bn_scale:
                score_batch_norms();
                break;
            case WeightScore::l1:
                score_sums(free_groups(), 1);
                break;
            case WeightScore::l2:
            case WeightScore::lamp:
                score_sums(free_groups(), 2);
                break;
        }
        return std::move(result_);
    }

  private:
    std::vector<size_t> free_groups() const {
        std::vector<size_t> numbers;
        for (size_t g = 0; g < groups_.size(); ++g)
            if (!groups_[g].frozen && groups_[g].channels > 0) numbers.push_back(g);
        return numbers;
    }

    void set(size_t group, const std::vector<ChannelValues>& members) {
        const bool is_lamp = options_.score == WeightScore::lamp;
        const auto values = reduced(members, options_.reduction, rule_.positions_per_channel(groups_[group]));
        require_finite(groups_[group], values);
        result_.scores[group] =
            to_tensor(normalised(values, is_lamp ? ScoreNormaliser::lamp : options_.normaliser));
    }

    void set_sums(const std::vector<size_t>& numbers, const std::vector<Request>& requests, int p) {
        const TensorSums sums(requests, tensors_, p);
        for (size_t i = 0; i < numbers.size(); ++i) {
            std::vector<ChannelValues> members;
            for (const auto& scored : requests[i].members)
                members.push_back(channel_sums(scored, sums.along(*scored.member)));
            set(numbers[i], members);
        }
    }

    void score_sums(const std::vector<size_t>& numbers, int p) {
        std::vector<Request> requests;
        requests.reserve(numbers.size());
        for (const size_t g : numbers) requests.push_back({&groups_[g], rule_.of(groups_[g])});
        set_sums(numbers, requests, p);
    }

    void score_batch_norms() {
        std::vector<size_t> with, without;
        std::vector<Request> requests;
        for (const size_t g : free_groups()) {
            auto members = rule_.batch_norms_of(groups_[g]);
            (members.empty() ? without : with).push_back(g);
            if (!members.empty()) requests.push_back({&groups_[g], std::move(members)});
        }
        if (!without.empty() && !options_.replace_missing_bn)
            throw Error("criterion bn_scale", "group " + groups_[without.front()].name,
                        "a batch norm with weights", "none");
        set_sums(with, requests, 1);
        score_sums(without, 2);
        for (const size_t g : without) note(g, "has no batch norm with weights: scored by l2");
    }

    void score_distances() {
        for (const size_t g : free_groups()) {
            auto scored = rule_.layers_of(groups_[g]);
            if (scored.empty()) {
                scored = rule_.of(groups_[g]);
                note(g, "has no convolution or linear layer: distances between its other parameters");
            }
            std::vector<ChannelValues> members;
            members.reserve(scored.size());
            for (const auto& [member, multiplicity] : scored)
                members.push_back(filter_distances(*member, tensor_of(tensors_, groups_[g], *member),
                                                   options_.fpgm_of_squares));
            set(g, members);
        }
    }

    void score_at_random() {
        for (const size_t g : free_groups())
            result_.scores[g] = to_tensor(random_values(options_.seed, g, groups_[g].channels));
    }

    void note(size_t group, const std::string& what) {
        result_.notes.push_back("group " + groups_[group].name + " " + what);
    }

    ScoredMembers rule_;
    const std::vector<Group>& groups_;
    const StoredTensors& tensors_;
    const WeightScoreOptions& options_;
    WeightScores result_;
};

}  // namespace

StoredTensors stored_tensors(const torch::nn::Module& module) {
    StoredTensors tensors;
    for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value();
    for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value();
    return tensors;
}

StoredTensors stored_tensors(const torch::jit::Module& module) {
    StoredTensors tensors;
    visit_tensors(
        module, [&](const std::string& name, const torch::Tensor& tensor, bool) { tensors[name] = tensor; });
    return tensors;
}

WeightScore weight_score_named(const std::string& name) {
    const std::vector<std::pair<std::string, WeightScore>> known = {
        {"l1", WeightScore::l1},     {"l2", WeightScore::l2},     {"random", WeightScore::random},
        {"lamp", WeightScore::lamp}, {"fpgm", WeightScore::fpgm}, {"bn_scale", WeightScore::bn_scale}};
    std::vector<std::string> names;
    for (const auto& [candidate, score] : known) {
        if (candidate == name) return score;
        names.push_back(candidate);
    }
    throw Error("criterion", "weight scores", fmt::format("one of {}", fmt::join(names, ", ")),
                "'" + name + "'" + did_you_mean(name, names));
}

WeightScores weight_scores(const TracedGraph& graph, const std::vector<Group>& groups,
                           const StoredTensors& tensors, const WeightScoreOptions& options) {
    const torch::NoGradGuard no_grad;
    return Scorer(graph, groups, tensors, options).run();
}

}  // namespace mtlprune
