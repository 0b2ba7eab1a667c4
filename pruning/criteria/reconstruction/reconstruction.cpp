// Channels by how well the next layers' answers can be given without them: ThiNet's greedy choice (Luo et
// al., ICCV 2017) and LASSO selection (He et al., Channel Pruning for Accelerating Very Deep Neural Networks,
// ICCV 2017).
#include "pruning/criteria/reconstruction/reconstruction.h"

#include <torch/utils.h>

#include <cmath>

#include "base/error.h"
#include "pruning/criteria/criterion.h"
#include "pruning/criteria/reconstruction/refit.h"
#include "pruning/criteria/reconstruction/response_gram.h"

namespace mtlprune {
namespace {

/// Keeps Gram matrices since the last event and turns each into scores.
class Reconstruction : public Criterion {
  public:
    /// What turns the sums of a group into scores [C].
    using Rank = torch::Tensor (*)(const ResponseGrams& grams, size_t asked);
    Reconstruction(std::string key, Responses which, int64_t places, uint64_t seed, Rank rank,
                   std::optional<Refit> refit)
        : key_(std::move(key)), which_(which), places_(places), seed_(seed), rank_(rank), refit_(refit) {}

    Needs needs() const override { return {.passes = true}; }

    void observe(const Evidence& batch) override {
        grams_.add(batch, which_, places_, seed_ + 2 * static_cast<uint64_t>(batches_), key_);
        ++batches_;
    }

    Scores scores(const Evidence& now) const override {
        if (grams_.empty())
            throw Error("criterion " + key_, "scores", "at least one observed mini-batch", "none");
        std::vector<torch::Tensor> all;
        for (size_t i = 0; i < now.asked().size(); ++i) all.push_back(rank_(grams_, i));
        return scores_of_asked(now, all);
    }

    std::vector<Repair> repair(const Evidence& now, const std::vector<torch::Tensor>& kept) const override {
        constexpr int64_t kPlaces = 5000;
        if (!refit_) return {};
        return refit_readers(now, kept, *refit_, kPlaces, seed_);
    }

    void after_event(const std::vector<torch::Tensor>& /*kept*/) override { grams_.reset(); }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state = {{"batches", torch::tensor(batches_)}};
        grams_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        grams_.load(state);
        batches_ = state.at("batches").item<int64_t>();
    }

  private:
    std::string key_;
    Responses which_;
    int64_t places_;
    uint64_t seed_;
    Rank rank_;
    std::optional<Refit> refit_;
    ResponseGrams grams_;
    int64_t batches_ = 0;
};

std::optional<Refit> refit_of(const nlohmann::json& options, Refit which) {
    return options.at("refit").get<bool>() ? std::optional(which) : std::nullopt;
}

torch::Tensor thinet_scores(const ResponseGrams& grams, size_t asked) {
    return greedy_removal_ranks(grams.gram(asked));
}

torch::Tensor lasso_scores(const ResponseGrams& grams, size_t asked) {
    return lasso_entry_scores(grams.centred(asked) / grams.samples(asked));
}

}  // namespace

torch::Tensor greedy_removal_ranks(const torch::Tensor& gram) {
    const auto matrix = gram.contiguous();
    const int64_t channels = matrix.size(0);
    const double* g = matrix.data_ptr<double>();
    std::vector<double> cross(channels, 0.0);  // with what was removed
    std::vector<bool> removed(channels, false);
    auto ranks = torch::empty({channels}, torch::kDouble);
    for (int64_t rank = 0; rank < channels; ++rank) {
        int64_t best = -1;
        double least = 0;
        for (int64_t c = 0; c < channels; ++c) {
            const double more = 2 * cross[c] + g[c * channels + c];
            if (removed[c] || (best >= 0 && more >= least)) continue;
            best = c;
            least = more;
        }
        removed[best] = true;
        ranks.data_ptr<double>()[best] = static_cast<double>(rank);
        for (int64_t c = 0; c < channels; ++c) cross[c] += g[best * channels + c];
    }
    return ranks;
}

torch::Tensor lasso_entry_scores(const torch::Tensor& covariance) {
    constexpr int kSteps = 100, kMostSweeps = 200;
    constexpr double kRange = 1e-6, kChange = 1e-7;
    const auto matrix = covariance.contiguous();
    const int64_t channels = matrix.size(0);
    const double* g = matrix.data_ptr<double>();
    // The target is the sum of all channels' answers.
    const auto target_tensor = matrix.sum(1).contiguous();
    const double* target = target_tensor.data_ptr<double>();
    const double largest = std::max(target_tensor.abs().max().item<double>(), 1e-300);
    std::vector<double> b(channels, 0.0), fitted(channels, 0.0);  // fitted = g b
    auto scores = torch::zeros({channels}, torch::kDouble);
    double* score = scores.data_ptr<double>();
    for (int step = 0; step <= kSteps; ++step) {
        const double lambda = largest * std::pow(kRange, static_cast<double>(step) / kSteps);
        for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
            double change = 0;
            for (int64_t c = 0; c < channels; ++c) {
                const double own = g[c * channels + c];
                if (own <= 0) continue;
                const double gradient = target[c] - fitted[c] + own * b[c];
                const double next = std::copysign(std::max(std::abs(gradient) - lambda, 0.0), gradient) / own;
                const double moved = next - b[c];
                if (moved == 0) continue;
                b[c] = next;
                change = std::max(change, std::abs(moved));
                for (int64_t k = 0; k < channels; ++k) fitted[k] += moved * g[c * channels + k];
            }
            if (change < kChange) break;
        }
        for (int64_t c = 0; c < channels; ++c)
            if (score[c] == 0 && b[c] != 0) score[c] = lambda / largest * (1 + 1e-6 * std::abs(b[c]));
    }
    return scores;
}

Registry<Criterion>::Entry thinet_criterion() {
    return {{.key = "thinet",
             .summary = "when the channel leaves if one after the other does that changes the next layers' "
                        "answers least",
             .paper = "Luo et al., ThiNet: A Filter Level Pruning Method for Deep Neural Network "
                      "Compression, ICCV 2017",
             .options = {{"places", 1000,
                          "of every layer's output, of every mini-batch, with one output channel each"},
                         {"refit", true, "one factor for every channel that stays, by least squares"},
                         {"seed", 0, "of the places"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<Reconstruction>(
                    "thinet", Responses::drawn, options.at("places").get<int64_t>(),
                    options.at("seed").get<uint64_t>(), thinet_scores, refit_of(options, Refit::scales));
            }};
}

Registry<Criterion>::Entry channel_lasso_criterion() {
    return {{.key = "channel_lasso",
             .summary = "penalty at which a LASSO that gives the next layers' answers from channels takes "
                        "the channel in",
             .paper = "He et al., Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017 (CP; "
                      "its search "
                      "for one penalty as a path over all)",
             .options = {{"places", 100,
                          "of every layer's output, of every mini-batch, with all output channels"},
                         {"refit", true, "new weights for the channels that stay, by least squares"},
                         {"seed", 0, "of the places"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<Reconstruction>(
                    "channel_lasso", Responses::all, options.at("places").get<int64_t>(),
                    options.at("seed").get<uint64_t>(), lasso_scores, refit_of(options, Refit::weights));
            }};
}

}  // namespace mtlprune
