// From what the members of a group say to one score per channel.
#pragma once

#include <cstdint>
#include <vector>

namespace mtlprune {

using ChannelValues = std::vector<double>;  ///< one per channel of a group

/// How the members of a group (layers, norms, consumers) become one number per channel.
enum class MemberReduction { mean, sum, max, first };

/// What a group's scores are divided by, so that groups compare; `lamp` as above. A divisor of 0 is not
/// applied.
enum class ScoreNormaliser { mean, none, sum, max, lamp };

/// Reduces the members (one or more, values not negative), then divides by the positions that a channel
/// stands for.
ChannelValues reduced(const std::vector<ChannelValues>& members, MemberReduction reduction,
                      int64_t positions);

/// Scores of one group divided as asked; they are not negative.
ChannelValues normalised(ChannelValues scores, ScoreNormaliser normaliser);

}  // namespace mtlprune
