// Scores of channels that need the weights alone: no data, no gradients.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/criteria/score_reduction.h"

namespace mtlprune {

/// l1, l2: sum of |w| or w^2 over a channel's slices (Li et al., Pruning Filters for Efficient ConvNets,
/// 2017; note that l2 is the squared norm, as in Torch-Pruning). bn_scale: |gamma| of the batch norms (Liu et
/// al., Network Slimming, 2017). lamp: l2 over the sum of all l2 of the group that are not smaller (Lee et
/// al., LAMP, 2021). fpgm: sum of the distances to the other channels' filters (He et al., FPGM, 2019).
/// random: uniform.
enum class WeightScore { l1, l2, random, bn_scale, lamp, fpgm };

struct WeightScoreOptions {
    WeightScore score = WeightScore::l2;
    MemberReduction reduction = MemberReduction::mean;
    ScoreNormaliser normaliser = ScoreNormaliser::mean;  ///< lamp scores always use lamp, random ones none
    uint64_t seed = 0;                                   ///< of random scores
    /// bn_scale: groups without batch norm get l2 scores, which is reported; otherwise they are errors.
    bool replace_missing_bn = true;
    /// fpgm: distances between element-wise w^2, column by column after a flatten, as Torch-Pruning has it (w
    /// and -w coincide then). The default compares the weights themselves.
    bool fpgm_of_squares = false;
};

struct WeightScores {
    std::vector<torch::Tensor> scores;  ///< float64 [C] per group, higher = keep; [0] for frozen groups
    std::vector<std::string> notes;     ///< what was scored in another way than asked, one sentence per group
};

/// Parameters and buffers by name.
using StoredTensors = std::unordered_map<std::string, torch::Tensor>;
StoredTensors stored_tensors(const torch::nn::Module& module);
StoredTensors stored_tensors(const torch::jit::Module& module);

/// Scores of `groups`, which are those of a coupling of `graph`, perhaps after some channels left; `tensors`
/// are as they are now. The defaults rank like GroupMagnitudeImportance of Torch-Pruning 1.6, whose members
/// count (scored_members.h): the mean over members of the sum over a channel's slices, and over the positions
/// that a channel stands for; divided by the group's mean. Every weight is read once (fpgm: more often).
/// Throws Error when a tensor is missing or smaller than a group says, and on weights that are not finite.
WeightScores weight_scores(const TracedGraph& graph, const std::vector<Group>& groups,
                           const StoredTensors& tensors, const WeightScoreOptions& options = {});

/// "l1", "l2", "random", "bn_scale", "lamp" or "fpgm"; another name is an Error that suggests the nearest.
WeightScore weight_score_named(const std::string& name);

}  // namespace mtlprune
