// Provable filter pruning: one relative error for the whole network says how many channels every layer needs.
//
// A channel's score is the logarithm of the largest error at which the channel stays, so a global ranking
// with any budget finds the error that meets it, as the released allocator does by bisection on the number of
// weights.
#include "pruning/criteria/pfp/pfp.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/pfp/group_draws.h"
#include "pruning/criteria/reconstruction/refit.h"

namespace mtlprune {
namespace {

const EnumNames<DrawRule> kDrawRules = {
    {DrawRule::top, "top"}, {DrawRule::random, "random"}, {DrawRule::hybrid, "hybrid"}};

struct PfpOptions {
    DrawRule selection;
    int64_t patches;
    double delta;
    uint64_t seed;
};

class Pfp : public Criterion {
  public:
    explicit Pfp(PfpOptions options) : options_(options) {}
    Needs needs() const override { return {.passes = true}; }

    void observe(const Evidence& batch) override {
        const torch::NoGradGuard no_grad;
        seen_.add(batch, options_.patches, options_.delta, options_.seed);
    }

    Scores scores(const Evidence& now) const override {
        std::vector<torch::Tensor> all;
        std::vector<std::string> notes;
        for (size_t i = 0; i < now.asked().size(); ++i) {
            const auto draws = draws_of(now, i);
            all.push_back(draws.scores());
            if (draws.coefficient == 0)
                notes.push_back("group " + now.groups()[now.asked()[i]].name +
                                " gives nothing to the layers that read it: one channel is enough");
        }
        auto result = scores_of_asked(now, all);
        result.notes = std::move(notes);
        return result;
    }

    std::vector<std::string> remarks(const std::vector<torch::Tensor>& scores,
                                     const std::vector<torch::Tensor>& kept) const override {
        const double error = pfp_error(scores, kept);
        const char* meaning = options_.selection == DrawRule::top ? "a yardstick, no bound"
                              : error >= 1                        ? "no bound, being above 1"
                                                                  : "a bound";
        return {fmt::format("the widths stand for a relative error of {:.3g} of the answers of layers ({})",
                            error, meaning)};
    }

    /// One sequence of draws serves all layers that read a group.
    std::vector<Repair> repair(const Evidence& now, const std::vector<torch::Tensor>& kept) const override {
        if (options_.selection == DrawRule::top) return {};
        std::vector<GroupDraws> groups;
        for (size_t i = 0; i < kept.size(); ++i) groups.push_back(draws_of(now, i));
        const double error = agreed_error(groups, kept);
        std::vector<Repair> repairs;
        for (size_t i = 0; i < kept.size(); ++i) {
            if (kept[i].numel() == static_cast<int64_t>(groups[i].order.size())) continue;
            const auto factors = groups[i].factors(kept[i], error);
            if (!factors.defined()) continue;
            for (auto& repair : scale_readers(now, i, kept[i], factors)) repairs.push_back(std::move(repair));
        }
        return repairs;
    }

    void after_event(const std::vector<torch::Tensor>& /*kept*/) override { seen_.reset(); }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        seen_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override { seen_.load(state); }

  private:
    GroupDraws draws_of(const Evidence& now, size_t asked) const {
        if (seen_.empty()) throw Error("criterion pfp", "scores", "at least one observed mini-batch", "none");
        const size_t number = now.asked()[asked];
        const auto channels = static_cast<uint64_t>(now.groups()[number].channels);
        return group_draws(seen_.of(asked), options_.selection,
                           mix_key(options_.seed, Stream::method, number, channels));
    }

    PfpOptions options_;
    GroupSensitivities seen_;
};

PfpOptions read_pfp_options(const nlohmann::json& options) {
    const PfpOptions read{kDrawRules.value(options.at("selection").get<std::string>(), "selection"),
                          options.at("patches").get<int64_t>(), options.at("delta").get<double>(),
                          options.at("seed").get<uint64_t>()};
    if (read.patches < 1) throw Error("option", "patches", "at least 1", std::to_string(read.patches));
    if (read.delta <= 0 || read.delta >= 1)
        throw Error("option", "delta", "more than 0 and less than 1", fmt::format("{}", read.delta));
    return read;
}

}  // namespace

double pfp_error(const std::vector<torch::Tensor>& scores, const std::vector<torch::Tensor>& kept) {
    double largest = kNoError;
    for (size_t i = 0; i < scores.size(); ++i) {
        const auto left = scores[i].index_fill(0, kept.at(i), kNoError);
        if (left.numel() > 0) largest = std::max(largest, left.max().item<double>());
    }
    return largest == kNoError ? 0 : std::pow(10, largest);
}

Registry<Criterion>::Entry pfp_criterion() {
    return {
        {.key = "pfp",
         .summary = "logarithm of the relative error of the next layers' answers up to which the channel is "
                    "needed; no labels",
         .paper = "Liebenwein et al., Provable Filter Pruning for Efficient Neural Networks, ICLR 2020 "
                  "(layers that share channels, patches: ours)",
         .options = {{"selection", "top",
                      "top: the most sensitive channels; random: draws in proportion to sensitivities, what "
                      "stays is rescaled; hybrid: only channels of which no whole draw is expected are drawn",
                      kDrawRules.names()},
                     {"patches", 4096, "positions of every layer's output, of every mini-batch"},
                     {"delta", 1e-16, "probability with which an answer may be further off"},
                     {"seed", 0, "of the draws and the patches"}},
         .certainty = "medium: formulas of the released code; the paper's theorems are recalled"},
        [](const nlohmann::json& options) { return std::make_unique<Pfp>(read_pfp_options(options)); }};
}

}  // namespace mtlprune
