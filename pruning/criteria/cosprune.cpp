#include "pruning/criteria/cosprune.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>

#include "base/enum_names.h"
#include "base/error.h"

namespace mtlprune {
namespace {

/// Each gradient as [C, K] with a filter's elements dense in memory. Their order is irrelevant as long as all
/// tasks share it, so gradients that are all channels-last are not copied.
std::vector<torch::Tensor> filter_rows(const std::vector<torch::Tensor>& gradients) {
    const bool channels_last =
        std::all_of(gradients.begin(), gradients.end(), [](const torch::Tensor& gradient) {
            return gradient.dim() == 4 && gradient.is_contiguous(torch::MemoryFormat::ChannelsLast);
        });
    std::vector<torch::Tensor> rows;
    rows.reserve(gradients.size());
    for (const auto& gradient : gradients)
        rows.push_back((channels_last ? gradient.permute({0, 2, 3, 1}) : gradient).flatten(1).contiguous());
    return rows;
}

template <typename T>
void gram_rows(const std::vector<const T*>& rows, int64_t channels, int64_t length, double* out) {
    const auto tasks = static_cast<int64_t>(rows.size());
    at::parallel_for(
        0, channels, std::max<int64_t>(1, 16384 / (length + 1)), [&](int64_t begin, int64_t end) {
            for (int64_t c = begin; c < end; ++c)
                for (int64_t i = 0; i < tasks; ++i)
                    for (int64_t j = i; j < tasks; ++j) {
                        const T* a = rows[i] + c * length;
                        const T* b = rows[j] + c * length;
                        // Eight partial sums let the compiler vectorise a sum whose order must stay fixed.
                        double partial[8] = {};
                        int64_t k = 0;
                        for (; k + 8 <= length; k += 8)
                            for (int64_t p = 0; p < 8; ++p)
                                partial[p] += static_cast<double>(a[k + p]) * b[k + p];
                        for (; k < length; ++k) partial[0] += static_cast<double>(a[k]) * b[k];
                        double sum = 0;
                        for (const double value : partial) sum += value;
                        out[(c * tasks + i) * tasks + j] = out[(c * tasks + j) * tasks + i] = sum;
                    }
        });
}

}  // namespace

torch::Tensor task_gram(const std::vector<torch::Tensor>& gradients) {
    torch::NoGradGuard no_grad;
    const auto rows = filter_rows(gradients);
    const auto tasks = static_cast<int64_t>(rows.size());
    if (!rows[0].device().is_cpu()) {
        const auto stacked = torch::stack(rows, 1).to(torch::kDouble);  // [C, T, K]
        return torch::bmm(stacked, stacked.transpose(1, 2));
    }
    auto gram = torch::empty({rows[0].size(0), tasks, tasks}, torch::kDouble);
    AT_DISPATCH_FLOATING_TYPES(rows[0].scalar_type(), "task_gram", [&] {
        std::vector<const scalar_t*> data;
        data.reserve(rows.size());
        for (const auto& row : rows) data.push_back(row.data_ptr<scalar_t>());
        gram_rows(data, rows[0].size(0), rows[0].size(1), gram.data_ptr<double>());
    });
    return gram;
}

torch::Tensor pairwise_cosines(const torch::Tensor& gram) {
    const auto norms = gram.diagonal(0, 1, 2).sqrt() + 1e-30;  // [C, T]
    return gram / (norms.unsqueeze(2) * norms.unsqueeze(1)).clamp_min(1e-300);
}

torch::Tensor pairs_with_gradients(const torch::Tensor& gram) {
    const auto has = (gram.diagonal(0, 1, 2) > 0).to(torch::kDouble);  // [C, T]
    return (has.unsqueeze(2) * has.unsqueeze(1)).triu(1);
}

torch::Tensor mean_pairwise_cosine(const torch::Tensor& gram) {
    const int64_t tasks = gram.size(1);
    const auto upper = torch::ones({tasks, tasks}, gram.options()).triu(1);
    return (pairwise_cosines(gram) * upper).sum({1, 2}) / (static_cast<double>(tasks * (tasks - 1)) / 2.0);
}

std::vector<const Member*> filter_members(const Group& group) {
    std::vector<const Member*> members;
    for (const auto& member : group.members)
        if (member.role == Role::output && !member.is_buffer) members.push_back(&member);
    return members;
}

torch::Tensor filter_gram(const Group& group, const GradientLists& task_gradients,
                          const std::string& criterion) {
    torch::Tensor sum;
    for (const Member* member : filter_members(group)) {
        const auto found = task_gradients.find(member->tensor);
        if (found == task_gradients.end() || found->second.front().dim() < 2) continue;
        if (found->second.size() < 2)
            throw Error("criterion " + criterion, group.name, "gradients of at least 2 tasks",
                        std::to_string(found->second.size()));
        std::vector<torch::Tensor> rows;
        for (const auto& gradient : found->second) rows.push_back(Evidence::rows(*member, gradient));
        const auto term = task_gram(rows);
        sum = sum.defined() ? sum + term : term;
    }
    if (!sum.defined())
        throw Error("criterion " + criterion, group.name, "per-task gradients of its producers' weights",
                    "none");
    return sum;
}

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
