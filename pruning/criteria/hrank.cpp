// HRank (Lin et al., HRank: Filter Pruning using High-Rank Feature Map, CVPR 2020).
#include <torch/linalg.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "pruning/criteria/layer_watch.h"
#include "pruning/criteria/matrix_rank.h"
#include "pruning/criteria/pass_criterion.h"

namespace mtlprune {
namespace {

/// Mean rank of a channel's maps where the next convolutions read them, by the largest rank there is.
class HRank : public PassCriterion {
  public:
    HRank() : PassCriterion("hrank") {}

  protected:
    std::vector<torch::Tensor> contributions(const Evidence& batch) const override {
        const torch::NoGradGuard no_grad;
        GroupMeans means(batch.asked().size());
        watch_layers(
            batch, [&] { batch.passes().outputs(batch.passes().input); },
            [&](const LayerCall& call) {
                for (const auto& [asked, member] : call.uses)
                    if (member->role == Role::input && has_rank(call.input))
                        means.add(asked, mean_rank(call, *member));
            });
        std::vector<torch::Tensor> all;
        for (size_t i = 0; i < batch.asked().size(); ++i) {
            if (!means.has(i))
                throw nothing_of(batch, i, "maps of at least 2x2 positions that a convolution reads");
            all.push_back(means.mean(i));
        }
        return all;
    }

  private:
    /// The rank of a single position is 0 or 1 and says nothing.
    static bool has_rank(const torch::Tensor& map) {
        return map.dim() == 4 && std::min(map.size(2), map.size(3)) > 1;
    }

    static torch::Tensor mean_rank(const LayerCall& call, const Member& member) {
        const int64_t height = call.input.size(2), width = call.input.size(3);
        const auto maps = channels_read(call, member);  // [B,C,H*W]
        const auto ranks = matrix_ranks(maps.reshape({-1, height, width})).view({maps.size(0), maps.size(1)});
        return ranks.mean(0, false, torch::kDouble) / static_cast<double>(std::min(height, width));
    }
};

}  // namespace

Registry<Criterion>::Entry hrank_criterion() {
    return {{.key = "hrank",
             .summary = "mean rank of the channel's maps, by the largest possible",
             .paper = "Lin et al., HRank: Filter Pruning using High-Rank Feature Map, CVPR 2020"},
            [](const nlohmann::json&) { return std::make_unique<HRank>(); }};
}

}  // namespace mtlprune
