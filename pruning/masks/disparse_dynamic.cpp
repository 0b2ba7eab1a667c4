// While training: the smallest weights leave, and those come back whose gradients are largest for any task.
#include <torch/utils.h>

#include <cmath>

#include "base/random.h"
#include "pruning/masks/disparse.h"
#include "pruning/masks/drop_and_grow.h"
#include "pruning/masks/erk.h"
#include "pruning/masks/stored_weights.h"

namespace mtlprune {
namespace {

struct DynamicOptions {
    double density, rate, until;
    int64_t interval, parts;
    bool stores;     ///< values of masked weights, which they have when they come back; else 0
    bool dense;      ///< gradients of the network with all stored values; else of the masked network
    bool threshold;  ///< ties with the last weight that grows grow too
};

std::vector<double> densities_of(const std::vector<MaskableWeight>& weights, double density) {
    std::vector<std::vector<int64_t>> shapes;
    for (const auto& weight : weights) shapes.push_back(weight.parameter.sizes().vec());
    return erk_densities(shapes, density);
}

class DynamicDisparse : public WeightMasking {
  public:
    explicit DynamicDisparse(const DynamicOptions& options) : options_(options) {}

    void begin(const MaskingStart& start) override {
        end_ = static_cast<int64_t>(options_.until * static_cast<double>(start.iterations));
        densities_ = densities_of(start.weights, options_.density);
        kept_.clear();
        for (size_t i = 0; i < start.weights.size(); ++i)
            kept_.push_back(first_mask(start, i).to(start.weights[i].parameter.device()));
        names_ = WeightMasks::all_kept(start.weights);
        if (options_.stores) stored_.begin(start.weights);
        zero_weights(start.weights, masks());
    }

    void before_gradients(MaskingBatches& step) override {
        if (step.iteration > end_) return;
        const bool last = step.iteration == end_;
        if (!last && step.iteration % options_.interval != 0) return;
        const double rate = last ? 0.0
                                 : options_.rate / 2.0 *
                                       (1.0 + std::cos(M_PI * static_cast<double>(step.iteration) /
                                                       static_cast<double>(end_)));
        drop(step, rate);
        if (options_.stores && !last)
            zero_weights(step.weights, masks());
        else
            zero_masked(step.trainer, step.weights, masks());
        if (last) stored_ = {};
        if (last) return;
        grow(step);
        if (options_.stores) show_effective(step.weights);
    }

    void after_gradients(MaskingGradients& step) override {
        if (storing(step.iteration)) stored_.show(step.weights);
        zero_masked_gradients(step.weights, masks());
    }
    void after_step(MaskingStep& step) override {
        if (storing(step.iteration))
            stored_.take(step.weights, [this](size_t i, const torch::Tensor& stored) {
                return stored.masked_fill(kept_[i].logical_not(), 0);
            });
    }

    WeightMasks masks() const override {
        auto layers = names_.layers();
        for (size_t i = 0; i < layers.size(); ++i) layers[i].kept = kept_[i];
        return WeightMasks(std::move(layers));
    }
    bool settled(int64_t iteration) const override { return iteration > end_; }

    TensorMap state() const override {
        auto state = with_prefix("kept.", masks().state());
        state.merge(with_prefix("stored.", stored_.state()));
        return state;
    }
    void load_state(const TensorMap& state) override {
        auto loaded = masks();
        loaded.load_state(entries_of("kept.", state), "checkpoint");
        for (size_t i = 0; i < kept_.size(); ++i) kept_[i] = loaded.layers()[i].kept;
        const auto stored = entries_of("stored.", state);
        if (stored.empty()) stored_ = {};
        stored_.load_state(stored);
    }

  private:
    bool storing(int64_t iteration) const { return options_.stores && iteration < end_; }

    /// Random, but the first layer is dense.
    torch::Tensor first_mask(const MaskingStart& start, size_t i) const {
        const auto& weight = start.weights[i].parameter;
        const auto numbers =
            torch::empty(weight.sizes(), torch::kDouble)
                .uniform_(0.0, 1.0, at::detail::createCPUGenerator(mix_key(start.seed, Stream::method, i)));
        const double count = (i == 0 ? 1.0 : densities_[i]) * static_cast<double>(numbers.numel());
        return highest({numbers}, static_cast<int64_t>(std::nearbyint(count))).front();
    }

    double wanted(size_t i, double share) const {
        return densities_[i] * share * static_cast<double>(kept_[i].numel());
    }

    /// In every layer the smallest, so that the share (1 - rate) of its density stays.
    void drop(const MaskingStep& step, double rate) {
        for (size_t i = 0; i < kept_.size(); ++i)
            kept_[i] = dropped(kept_[i], step.weights[i].parameter.detach(), wanted(i, 1.0 - rate));
    }

    /// In every layer of every task as many as its density lacks; of what they share, all that any asks for.
    void grow(const MaskingBatches& step) {
        const bool everywhere = options_.stores && options_.dense;
        const auto sizes = gradient_sizes(step, everywhere ? stored_.values() : std::vector<torch::Tensor>(),
                                          options_.parts);
        const auto before = kept_;
        const auto& tasks = step.trainer.model().tasks();
        for (size_t t = 0; t < tasks.size(); ++t)
            for (const size_t i : reached_by(step.weights, tasks[t].name))
                kept_[i] =
                    kept_[i].logical_or(grown(before[i], sizes[t][i], wanted(i, 1.0), options_.threshold));
    }

    void show_effective(const std::vector<MaskableWeight>& weights) const {
        stored_.show(weights);
        zero_weights(weights, masks());
    }

    DynamicOptions options_;
    int64_t end_ = 0;
    std::vector<double> densities_;
    WeightMasks names_;
    std::vector<torch::Tensor> kept_;
    StoredWeights stored_;
};

}  // namespace

std::unique_ptr<WeightMasking> dynamic_disparse(const nlohmann::json& options) {
    const auto text = [&](const char* name) { return options.at(name).get<std::string>(); };
    return std::make_unique<DynamicDisparse>(DynamicOptions{.density = options.at("density").get<double>(),
                                                            .rate = options.at("rate").get<double>(),
                                                            .until = options.at("until").get<double>(),
                                                            .interval = options.at("interval").get<int64_t>(),
                                                            .parts = options.at("parts").get<int64_t>(),
                                                            .stores = text("regrow") == "stored",
                                                            .dense = text("gradients") == "dense",
                                                            .threshold = keeps_ties(options)});
}

}  // namespace mtlprune
