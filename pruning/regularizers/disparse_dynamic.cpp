// DiSparse's dynamic form (Sun et al., CVPR 2022) on channels: while the network trains, those with the
// smallest filters are closed and those are opened again that any task asks for.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "pruning/masks/erk.h"
#include "pruning/regularizers/closed_channels.h"
#include "pruning/regularizers/regularizer.h"

namespace mtlprune {
namespace {

struct DropAndGrowOptions {
    double rate;
    int64_t every, end;
    bool stored;
};

/// The `count` highest of those that are asked (bool [C]); of equal scores the first.
torch::Tensor highest_of(const torch::Tensor& scores, const torch::Tensor& asked, int64_t count) {
    auto chosen = torch::zeros_like(asked);
    const auto candidates = asked.nonzero().flatten();
    const int64_t most = std::min(std::max<int64_t>(count, 0), candidates.numel());
    const auto order =
        std::get<1>(scores.index_select(0, candidates).sort(/*stable=*/true, 0, /*descending=*/true));
    return chosen.index_fill_(0, candidates.index_select(0, order.slice(0, 0, most)), 1);
}

/// Every layer has a number of open channels. At a change those with the smallest filters are closed, a share
/// that falls to 0, and every task opens as many by the gradients of their gates.
class DisparseDynamic : public Regularizer {
  public:
    explicit DisparseDynamic(const DropAndGrowOptions& options) : options_(options) {}

    bool needs_task_gradients(int64_t iteration) const override { return grows(iteration); }

    void after_gradients(RegularizedStep& step) override {
        if (open_.empty()) return;
        if (grows(step.iteration) || step.iteration == options_.end) rewire(step);
        for (size_t i = 0; i < open_.size(); ++i)
            if (const auto closed = (~open_[i]).nonzero().flatten(); closed.numel() > 0)
                for (const auto& readers : step.groups[i].readers) readers.clear_gradient(closed);
    }

    void after_step(RegularizedStep& step) override {
        if (open_.empty()) begin(step);
        for (size_t i = 0; i < next_.size(); ++i) {
            closed_.close(step.trainer, step.groups[i], (open_[i] & ~next_[i]).nonzero().flatten());
            if (options_.stored) closed_.reopen(step.groups[i], (~open_[i] & next_[i]).nonzero().flatten());
        }
        if (!next_.empty()) open_ = std::move(next_);
        next_.clear();
    }

    /// What is closed.
    std::vector<torch::Tensor> chosen() const override {
        std::vector<torch::Tensor> closed;
        for (const auto& open : open_) closed.push_back(~open);
        return closed;
    }

    void after_event(const std::vector<torch::Tensor>& /*kept*/) override {
        open_.clear();
        next_.clear();
        closed_.clear();
    }

    std::map<std::string, torch::Tensor> state() const override {
        auto state = with_prefix("stored.", closed_.state());
        save_list(state, "open", open_);
        if (!open_.empty()) state["densities"] = torch::tensor(densities_, torch::kDouble);
        return state;
    }
    void load_state(const std::map<std::string, torch::Tensor>& state) override {
        open_ = load_list(state, "open");
        closed_.load_state(entries_of("stored.", state));
        densities_.clear();
        if (open_.empty()) return;
        const auto& densities = state.at("densities");
        densities_.assign(densities.data_ptr<double>(), densities.data_ptr<double>() + densities.numel());
    }

  private:
    bool grows(int64_t iteration) const {
        return iteration > 0 && iteration < options_.end && iteration % options_.every == 0;
    }

    /// As many channels as the allocation leaves, spread by ERK; which ones are open first is drawn.
    void begin(RegularizedStep& step) {
        std::vector<torch::Tensor> drawn;
        std::vector<std::vector<int64_t>> shapes;
        int64_t all = 0, leaving = 0;
        for (size_t i = 0; i < step.groups.size(); ++i) {
            const auto& group = step.groups[i];
            Random random(step.trainer.options().seed, Stream::method, static_cast<uint64_t>(step.iteration),
                          i);
            const auto order = permutation(group.channels, random);
            drawn.push_back(torch::tensor(std::vector<double>(order.begin(), order.end()), torch::kDouble));
            shapes.push_back({group.channels, inputs_of(group)});
            all += group.channels;
        }
        for (const auto& lowest : step.lowest(drawn)) leaving += lowest.sum().item<int64_t>();
        densities_ = erk_densities(shapes, 1.0 - static_cast<double>(leaving) / static_cast<double>(all));
        for (size_t i = 0; i < step.groups.size(); ++i) {
            const auto whole = torch::ones({step.groups[i].channels}, torch::kBool);
            open_.push_back(whole);
            next_.push_back(highest_of(drawn[i], whole, width(step, i, 0.0)));
        }
    }

    /// Of filters, squared, on the CPU.
    static torch::Tensor norms_of(const RegularizedGroup& group) {
        auto sum = torch::zeros({group.channels}, torch::kDouble);
        for (const auto& filters : group.filters) sum = sum + filters.sums(2).to(torch::kCPU);
        return sum;
    }

    /// Channels that the group's first layer reads and that no mask holds at zero.
    static int64_t inputs_of(const RegularizedGroup& group) {
        if (group.filters.empty() || group.filters.front().parameter.dim() < 2) return 1;
        const auto& filters = group.filters.front();
        const auto& weight = filters.parameter;
        const int64_t kernel = weight.numel() / (weight.size(0) * weight.size(1));
        return filters.weights / (filters.per_channel * kernel);
    }

    /// Open channels of a group at this rate; all where no reader could close one.
    int64_t width(const RegularizedStep& step, size_t i, double rate) const {
        const auto& group = step.groups[i];
        if (group.readers.empty() || group.filters.empty()) return group.channels;
        const auto wanted =
            std::ceil(densities_[i] * (1.0 - rate) * static_cast<double>(group.channels) - 1e-9);
        return std::max({static_cast<int64_t>(wanted), step.floors.at(i), int64_t{1}});
    }

    void rewire(const RegularizedStep& step) {
        const double rate = step.iteration >= options_.end
                                ? 0.0
                                : options_.rate / 2.0 *
                                      (1.0 + std::cos(M_PI * static_cast<double>(step.iteration) /
                                                      static_cast<double>(options_.end)));
        next_.clear();
        for (size_t i = 0; i < step.groups.size(); ++i) {
            const auto norms = norms_of(step.groups[i]);
            const int64_t left = width(step, i, rate), grown = width(step, i, 0.0) - left;
            next_.push_back(highest_of(norms, open_[i], left));
            if (grown > 0 && step.iteration < options_.end) grow(step, i, norms, grown);
        }
    }

    /// Every task that a channel would matter to opens `count`; without any, those with the largest filters.
    void grow(const RegularizedStep& step, size_t i, const torch::Tensor& norms, int64_t count) {
        const auto closed = ~next_[i];
        auto grown = torch::zeros_like(closed);
        for (const auto& gradient : closed_.gate_gradients(step.groups[i], open_[i], *step.task_gradients))
            if (((gradient > 0.0) & closed).any().item<bool>()) grown |= highest_of(gradient, closed, count);
        if (!grown.any().item<bool>()) grown = highest_of(norms, closed, count);
        next_[i] = next_[i] | grown;
    }

    DropAndGrowOptions options_;
    std::vector<torch::Tensor> open_;  ///< per group, bool [C] on the CPU; empty before the first step
    std::vector<torch::Tensor> next_;  ///< from the next step on
    std::vector<double> densities_;    ///< per group
    ClosedChannels closed_;
};

}  // namespace

Registry<Regularizer>::Entry disparse_dynamic_regularizer() {
    return {
        {.key = "disparse_dynamic",
         .summary =
             "channels with the smallest filters are closed (what reads them becomes zero), those open "
             "again whose gates have the largest gradients for any task; what is closed leaves",
         .paper = "Sun et al., DiSparse: Disentangled Sparsification for Multitask Model Compression, CVPR "
                  "2022 (dynamic), on channels",
         .options = {{"rate", 0.5,
                      "share of a layer's open channels that changes at first; falls by a cosine"},
                     {"every", 50, "mini-batches between changes"},
                     {"end", 15000, "mini-batch of the last change, which closes what is too much"},
                     {"regrow",
                      "stored",
                      "weights that read a channel which opens again: what they were, or 0",
                      {"stored", "zero"}}},
         .certainty = "low: on weights as in the released code; its form on channels is this project's"},
        [](const nlohmann::json& options) {
            const DropAndGrowOptions read{not_negative(options, "rate"), at_least_one(options, "every"),
                                          at_least_one(options, "end"),
                                          options.at("regrow").get<std::string>() == "stored"};
            if (read.rate > 1.0)
                throw Error("regularizer", "rate", "a share in [0, 1]", fmt::format("{}", read.rate));
            return std::make_unique<DisparseDynamic>(read);
        }};
}

}  // namespace mtlprune
