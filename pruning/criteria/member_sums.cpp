#include "pruning/criteria/member_sums.h"

#include <torch/utils.h>

#include <map>
#include <unordered_map>
#include <utility>

namespace mtlprune {
namespace {

/// Sums over the slices of every tensor that is named, each tensor read once.
class TensorSums {
  public:
    TensorSums(Summand summand, const GradientOf& gradient_of)
        : summand_(summand), gradient_of_(gradient_of) {}

    void add(const Member& member, const torch::Tensor& tensor) {
        torch::Tensor gradient;
        if (gradient_of_) {
            const auto* found = gradient_of_(member.tensor);
            if (found == nullptr) return;
            gradient = *found;
        }
        if (member.dim >= 2) {
            auto& sums = other_[{member.tensor, member.dim}];
            if (sums.empty()) sums = weight_sums_along(tensor, member.dim, summand_, gradient);
        } else if (number_.emplace(member.tensor, weights_.size()).second) {
            weights_.push_back(tensor.detach());
            if (gradient.defined()) gradients_.push_back(gradient);
        }
    }

    void compute() { sums_ = weight_sums(weights_, summand_, gradients_); }

    /// Null for a tensor whose gradient is not known.
    const ChannelValues* along(const Member& member) const {
        if (member.dim >= 2) {
            const auto found = other_.find({member.tensor, member.dim});
            return found == other_.end() ? nullptr : &found->second;
        }
        const auto found = number_.find(member.tensor);
        if (found == number_.end()) return nullptr;
        const auto& sums = sums_[found->second];
        return member.dim == 0 ? &sums.rows : &sums.columns;
    }

  private:
    Summand summand_;
    const GradientOf& gradient_of_;
    std::vector<torch::Tensor> weights_, gradients_;
    std::unordered_map<std::string, size_t> number_;
    std::vector<WeightSums> sums_;
    std::map<std::pair<std::string, int64_t>, ChannelValues> other_;
};

/// A grouped convolution reads position i of each of its g groups with one index of its dimension 1, so that
/// index counts g times; the mean over the positions that the channel stands for then weighs it like the
/// producer's own slices, of which there are g.
ChannelValues channel_sums(const ScoredMember& scored, const ChannelValues* slices) {
    const auto& member = *scored.member;
    ChannelValues sums(member.indices.size() / member.per_channel);
    if (slices == nullptr) return sums;
    for (size_t c = 0; c < sums.size(); ++c)
        for (const int64_t index : member.channel(static_cast<int64_t>(c))) sums[c] += (*slices)[index];
    for (auto& sum : sums) sum *= static_cast<double>(scored.multiplicity);
    return sums;
}

}  // namespace

std::vector<std::vector<ChannelValues>> member_sums(const Evidence& evidence,
                                                    const std::vector<size_t>& numbers,
                                                    const std::vector<std::vector<ScoredMember>>& members,
                                                    Summand summand, const GradientOf& gradient_of) {
    const torch::NoGradGuard no_grad;
    TensorSums sums(summand, gradient_of);
    for (size_t i = 0; i < numbers.size(); ++i)
        for (const auto& [member, multiplicity] : members[i])
            sums.add(*member, evidence.value(evidence.groups()[numbers[i]], *member));
    sums.compute();
    std::vector<std::vector<ChannelValues>> all(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i)
        for (const auto& scored : members[i])
            all[i].push_back(channel_sums(scored, sums.along(*scored.member)));
    return all;
}

}  // namespace mtlprune
