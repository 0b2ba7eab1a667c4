#include "pruning/criteria/member_scores.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <cmath>

#include "base/enum_names.h"
#include "base/error.h"

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
                            const std::vector<std::vector<ScoredMember>>& members, Summand summand) {
    const auto sums = member_sums(evidence_, numbers, members, summand);
    for (size_t i = 0; i < numbers.size(); ++i) set(numbers[i], sums[i]);
}

void MemberScores::set_sums(const std::vector<size_t>& numbers, Summand summand) {
    std::vector<std::vector<ScoredMember>> members;
    members.reserve(numbers.size());
    for (const size_t g : numbers) members.push_back(evidence_.scored().of(evidence_.groups()[g]));
    set_sums(numbers, members, summand);
}

void MemberScores::note(size_t group, const std::string& what) {
    result_.notes.push_back("group " + evidence_.groups()[group].name + " " + what);
}

}  // namespace mtlprune
