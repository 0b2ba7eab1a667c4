// What criteria that score stored weights share: sums over members, then one number per channel.
#pragma once

#include <string>
#include <vector>

#include "pruning/criteria/criterion.h"
#include "pruning/criteria/member_sums.h"
#include "pruning/criteria/score_reduction.h"

namespace mtlprune {

/// How members become a score, from a criterion's options.
struct MemberScoring {
    MemberReduction reduction = MemberReduction::mean;
    ScoreNormaliser normaliser = ScoreNormaliser::mean;
};

/// "reduction" and "normaliser". The defaults rank like GroupMagnitudeImportance of Torch-Pruning 1.6: the
/// mean over members of the sum over a channel's slices and over the positions that a channel stands for,
/// divided by the group's mean.
std::vector<Option> member_scoring_options();
MemberScoring read_member_scoring(const nlohmann::json& options);

/// Scores of an evidence's groups in progress; all other groups have none.
class MemberScores {
  public:
    MemberScores(const Evidence& evidence, MemberScoring scoring);

    /// Asked groups that have channels.
    const std::vector<size_t>& groups() const { return groups_; }

    /// Sets the scores of a group from its members' values, one list per member. Throws Error naming group
    /// and channel on a value that is not finite.
    void set(size_t group, const std::vector<ChannelValues>& members);

    /// Sets the scores of groups from the sums of `members[i]` of group `numbers[i]` (member_sums.h); no
    /// summand may be negative.
    void set_sums(const std::vector<size_t>& numbers, const std::vector<std::vector<ScoredMember>>& members,
                  Summand summand);

    /// set_sums with the members that the rule names (scored_members.h).
    void set_sums(const std::vector<size_t>& numbers, Summand summand);

    /// "group conv1 <what>"
    void note(size_t group, const std::string& what);

    Scores take() { return std::move(result_); }

  private:
    const Evidence& evidence_;
    MemberScoring scoring_;
    std::vector<size_t> groups_;
    Scores result_;
};

}  // namespace mtlprune
