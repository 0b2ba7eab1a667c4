// CosPrune: pairwise cosine of the tasks' gradients per filter (Garg, Zhang, Guan, 2023).
#include <torch/utils.h>

#include <algorithm>

#include "base/enum_names.h"
#include "base/error.h"
#include "pruning/criteria/criterion.h"
#include "pruning/evidence/task_cosines.h"

namespace mtlprune {
namespace {

/// What the cosine of a pair is of which a gradient is 0.
enum class ZeroGradient { neutral, first, left_out };

const EnumNames<ZeroGradient> kZeroGradients = {
    {ZeroGradient::neutral, "neutral"}, {ZeroGradient::first, "first"}, {ZeroGradient::left_out, "left_out"}};

struct CosPruneOptions {
    bool reversed, of_averages;
    ZeroGradient zero_gradient;
    std::vector<int64_t> pair;  ///< two tasks; empty: all pairs
};

/// Score = mean over mini-batches since the last event of the mean over task pairs of cos(dL_i/dW_c,
/// dL_j/dW_c); weights only, biases not. Filters on which tasks conflict most (most negative) go first. The
/// gradients of a group's producers are concatenated.
class CosPrune : public Criterion {
  public:
    explicit CosPrune(CosPruneOptions options) : options_(std::move(options)) {}
    Needs needs() const override { return {.task_gradients = true}; }

    void observe(const Evidence& batch) override {
        const torch::NoGradGuard no_grad;
        std::vector<torch::Tensor> contributions;
        std::vector<const Member*> members;
        for (const size_t number : batch.asked()) {
            const auto& group = batch.groups()[number];
            if (!options_.of_averages)
                contributions.push_back(score(filter_gram(group, batch.task_gradients, "cosprune")));
            for (const Member* member : filter_members(group)) members.push_back(member);
        }
        if (options_.of_averages)
            gradients_.add(batch, members);
        else
            mean_.add(contributions);
    }

    Scores scores(const Evidence& now) const override {
        if (!options_.of_averages) return mean_.mean("cosprune", now);
        const auto gradients = gradients_.means("cosprune");
        std::vector<torch::Tensor> scores;
        for (const size_t number : now.asked())
            scores.push_back(score(filter_gram(now.groups()[number], gradients, "cosprune")));
        return scores_of_asked(now, scores);
    }

    void after_event(const std::vector<torch::Tensor>&) override {
        mean_.reset();
        gradients_.reset();
    }

    std::map<std::string, torch::Tensor> state() const override {
        std::map<std::string, torch::Tensor> state;
        if (options_.of_averages)
            gradients_.save(state);
        else
            mean_.save(state);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        if (options_.of_averages)
            gradients_.load(state);
        else
            mean_.load(state);
    }

  private:
    torch::Tensor score(const torch::Tensor& gram) const {
        auto cosines = pairwise_cosines(gram);
        auto pairs = asked_pairs(gram);
        const auto known = pairs_with_gradients(gram);
        if (options_.zero_gradient == ZeroGradient::first)
            cosines = torch::where(known > 0, cosines, torch::full_like(cosines, options_.reversed ? 1 : -1));
        if (options_.zero_gradient == ZeroGradient::left_out) pairs = pairs * known;
        const auto mean = (cosines * pairs).sum({1, 2}) / pairs.sum({-2, -1}).clamp_min(1.0);
        return options_.reversed ? -mean : mean;
    }

    /// [T, T], 1 where a pair counts.
    torch::Tensor asked_pairs(const torch::Tensor& gram) const {
        const int64_t tasks = gram.size(1);
        if (options_.pair.empty()) return torch::ones({tasks, tasks}, gram.options()).triu(1);
        const auto [first, second] = std::minmax(options_.pair[0], options_.pair[1]);
        if (second >= tasks)
            throw Error("criterion cosprune", "pair", "two of the tasks 0 to " + std::to_string(tasks - 1),
                        std::to_string(second));
        auto pairs = torch::zeros({tasks, tasks}, gram.options());
        pairs.select(0, first).select(0, second).fill_(1.0);
        return pairs;
    }

    CosPruneOptions options_;
    ScoreMean mean_;
    MeanGradients gradients_{/*per_task=*/true};
};

std::vector<int64_t> read_pair(const nlohmann::json& pair) {
    if (pair.empty()) return {};
    const auto is_task = [](const nlohmann::json& value) { return value.is_number_integer() && value >= 0; };
    if (pair.size() != 2 || !is_task(pair[0]) || !is_task(pair[1]) || pair[0] == pair[1])
        throw Error("option", "pair", "[] or the numbers of two tasks, [0,1]", pair.dump());
    return pair.get<std::vector<int64_t>>();
}

}  // namespace

Registry<Criterion>::Entry cosprune_criterion() {
    return {
        {.key = "cosprune",
         .summary =
             "mean cosine between the tasks' gradients of a filter: where tasks conflict, channels leave",
         .paper = "Garg, Zhang, Guan, Structured Pruning for Multi-Task Deep Neural Networks, 2023",
         .options = {{"reversed", false, "where tasks agree, channels leave (an ablation)"},
                     {"of_averages", false,
                      "cosine of the gradients averaged over mini-batches (false: average of the cosines)"},
                     {"pair", nlohmann::json::array(), "two tasks' numbers, [0,1]; []: all pairs"},
                     {"zero_gradient", "neutral",
                      "a pair of which a gradient is 0: counts as cosine 0, leaves first, or is left out of "
                      "the mean",
                      kZeroGradients.names()}}},
        [](const nlohmann::json& options) {
            return std::make_unique<CosPrune>(CosPruneOptions{
                .reversed = options.at("reversed").get<bool>(),
                .of_averages = options.at("of_averages").get<bool>(),
                .zero_gradient =
                    kZeroGradients.value(options.at("zero_gradient").get<std::string>(), "zero_gradient"),
                .pair = read_pair(options.at("pair"))});
        }};
}

}  // namespace mtlprune
