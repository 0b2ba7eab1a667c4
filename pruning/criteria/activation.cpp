// Criteria on what the layers behind a group read of it: APoZ, mean activation, and HRank (Lin et al., HRank:
// Filter Pruning using High-Rank Feature Map, CVPR 2020).
#include <torch/utils.h>

#include <algorithm>

#include "base/error.h"
#include "pruning/criteria/matrix_rank.h"
#include "pruning/criteria/pass_criterion.h"

namespace mtlprune {
namespace {

/// A number per channel and reader, averaged over readers and mini-batches.
class Activation : public PassCriterion {
  public:
    /// `readers`: what a group must have, for the error.
    Activation(const char* key, OfReader of_reader, std::string readers)
        : PassCriterion(key), of_reader_(std::move(of_reader)), readers_(std::move(readers)) {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) override {
        ReaderMeans means(batch);
        watch_layers(
            batch, [&] { batch.passes().outputs(batch.passes().input); },
            [&](const LayerCall& call) { means.add(call, of_reader_); });
        auto all = means.means();
        for (size_t i = 0; i < all.size(); ++i)
            if (!all[i].defined()) throw nothing_of(batch, i, readers_);
        return all;
    }

  private:
    OfReader of_reader_;
    std::string readers_;
};

/// Over samples and positions: [B,C,P] -> [C].
torch::Tensor mean_per_channel(const torch::Tensor& values) {
    return values.transpose(0, 1).flatten(1).mean(1, false, torch::kDouble);
}

torch::Tensor positive_share(const LayerCall& call, const Member& member) {
    return mean_per_channel(channels_read(call, member) > 0);
}

torch::Tensor mean_magnitude(const LayerCall& call, const Member& member) {
    return mean_per_channel(channels_read(call, member).abs());
}

/// Mean rank of a channel's maps, by the largest there is. That of a single position is 0 or 1 and says
/// nothing.
torch::Tensor mean_rank(const LayerCall& call, const Member& member) {
    const auto& map = call.input;
    if (map.dim() != 4 || std::min(map.size(2), map.size(3)) < 2) return {};
    const auto maps = channels_read(call, member);  // [B,C,H*W]
    const auto ranks = matrix_ranks(maps.reshape({-1, map.size(2), map.size(3)}));
    return mean_per_channel(ranks.view({maps.size(0), maps.size(1), 1})) /
           static_cast<double>(std::min(map.size(2), map.size(3)));
}

constexpr const char* kAnyReader = "a convolution or linear layer that reads it";

}  // namespace

Registry<Criterion>::Entry apoz_criterion() {
    return {{.key = "apoz",
             .summary = "share of positive values in what the next layers read (1 - APoZ; meant for ReLU)",
             .paper = "Hu et al., Network Trimming, 2016"},
            [](const nlohmann::json&) {
                return std::make_unique<Activation>("apoz", positive_share, kAnyReader);
            }};
}

Registry<Criterion>::Entry mean_activation_criterion() {
    return {{.key = "mean_activation",
             .summary = "mean absolute value of what the next layers read",
             .paper = "Molchanov et al., Pruning CNNs for Resource Efficient Inference, ICLR 2017"},
            [](const nlohmann::json&) {
                return std::make_unique<Activation>("mean_activation", mean_magnitude, kAnyReader);
            }};
}

Registry<Criterion>::Entry hrank_criterion() {
    return {{.key = "hrank",
             .summary = "mean rank of the channel's maps, by the largest possible",
             .paper = "Lin et al., HRank: Filter Pruning using High-Rank Feature Map, CVPR 2020"},
            [](const nlohmann::json&) {
                return std::make_unique<Activation>(
                    "hrank", mean_rank, "maps of at least 2x2 positions that a convolution reads");
            }};
}

}  // namespace mtlprune
