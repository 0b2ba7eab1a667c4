#include "pruning/criteria/member_scores.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/evidence/weight_sums.h"

namespace mtlprune {
namespace {

const EnumNames<MemberReduction> kReductions = {{MemberReduction::mean, "mean"},
                                                {MemberReduction::sum, "sum"},
                                                {MemberReduction::max, "max"},
                                                {MemberReduction::first, "first"}};
const EnumNames<ScoreNormaliser> kNormalisers = {{ScoreNormaliser::mean, "mean"},
                                                 {ScoreNormaliser::none, "none"},
                                                 {ScoreNormaliser::sum, "sum"},
                                                 {ScoreNormaliser::max, "max"},
                                                 {ScoreNormaliser::lamp, "lamp"}};

/// Sums over the slices of every tensor that is named, each tensor read once.
class TensorSums {
  public:
    TensorSums(const Evidence& evidence, const std::vector<size_t>& numbers,
               const std::vector<std::vector<ScoredMember>>& members, int p)
        : p_(p) {
        std::vector<torch::Tensor> weights;
        for (size_t i = 0; i < numbers.size(); ++i)
            for (const auto& scored : members[i]) {
                const auto& tensor = evidence.value(evidence.groups()[numbers[i]], *scored.member);
                if (number_.emplace(scored.member->tensor, weights.size()).second)
                    weights.push_back(tensor.detach());
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
            throw Error("criterion", fmt::format("group {} channel {}", group.name, c), "finite weights",
                        std::isnan(values[c]) ? "NaN" : "infinity");
}

}  // namespace

std::vector<Option> member_scoring_options() {
    return {{"reduction", "mean", "how layers that share channels count together", kReductions.names()},
            {"normaliser", "mean", "what a group's scores are divided by", kNormalisers.names()}};
}

MemberScoring read_member_scoring(const nlohmann::json& options) {
    return {kReductions.value(options.at("reduction").get<std::string>(), "reduction"),
            kNormalisers.value(options.at("normaliser").get<std::string>(), "normaliser")};
}

MemberScores::MemberScores(const Evidence& evidence, MemberScoring scoring)
    : evidence_(evidence), scoring_(scoring) {
    result_.scores.assign(evidence.groups().size(), torch::empty({0}, torch::kFloat64));
    for (const size_t g : evidence.asked())
        if (evidence.groups()[g].channels > 0) groups_.push_back(g);
}

void MemberScores::set(size_t group, const std::vector<ChannelValues>& members) {
    const auto& scored = evidence_.groups()[group];
    const auto values =
        reduced(members, scoring_.reduction, evidence_.scored().positions_per_channel(scored));
    require_finite(scored, values);
    result_.scores[group] = torch::tensor(normalised(values, scoring_.normaliser), torch::kFloat64);
}

void MemberScores::set_sums(const std::vector<size_t>& numbers,
                            const std::vector<std::vector<ScoredMember>>& members, int p) {
    const torch::NoGradGuard no_grad;
    const TensorSums sums(evidence_, numbers, members, p);
    for (size_t i = 0; i < numbers.size(); ++i) {
        std::vector<ChannelValues> values;
        for (const auto& scored : members[i])
            values.push_back(channel_sums(scored, sums.along(*scored.member)));
        set(numbers[i], values);
    }
}

void MemberScores::set_sums(const std::vector<size_t>& numbers, int p) {
    std::vector<std::vector<ScoredMember>> members;
    members.reserve(numbers.size());
    for (const size_t g : numbers) members.push_back(evidence_.scored().of(evidence_.groups()[g]));
    set_sums(numbers, members, p);
}

void MemberScores::note(size_t group, const std::string& what) {
    result_.notes.push_back("group " + evidence_.groups()[group].name + " " + what);
}

}  // namespace mtlprune
