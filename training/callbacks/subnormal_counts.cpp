#include "training/callbacks/subnormal_counts.h"

#include <ATen/record_function.h>
#include <fmt/format.h>
#include <torch/utils.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "models/eval_mode.h"
#include "training/trainer.h"

namespace mtlprune {
namespace {

constexpr std::array<const char*, 14> kActivations = {
    "aten::relu",       "aten::relu_",    "aten::leaky_relu", "aten::gelu",       "aten::silu",
    "aten::silu_",      "aten::sigmoid",  "aten::tanh",       "aten::hardswish",  "aten::elu",
    "aten::hardswish_", "aten::softplus", "aten::hardtanh",   "aten::leaky_relu_"};

struct Layout {
    torch::ScalarType integer;
    int64_t exponent, mantissa;  ///< bit masks
};

Layout layout_of(torch::ScalarType type) {
    switch (type) {
        case torch::kFloat:
            return {torch::kInt, 0x7f800000, 0x007fffff};
        case torch::kDouble:
            return {torch::kLong, 0x7ff0000000000000, 0x000fffffffffffff};
        case torch::kHalf:
            return {torch::kShort, 0x7c00, 0x03ff};
        case torch::kBFloat16:
            return {torch::kShort, 0x7f80, 0x007f};
        default:
            throw Error("subnormals", c10::toString(type), "a floating-point tensor", "another");
    }
}

/// Of the forward pass that this thread observes.
thread_local std::vector<SubnormalShare>* observed = nullptr;

void observe_output(const at::RecordFunction& function, at::ObserverContext*) {
    if (observed == nullptr) return;
    const std::string name = function.name();
    if (std::find(kActivations.begin(), kActivations.end(), name) == kActivations.end()) return;
    if (function.outputs().empty() || !function.outputs().back().isTensor()) return;
    const std::string plain = name.substr(std::string("aten::").size());
    observed->push_back({fmt::format("activation.{}.{}", observed->size() + 1, plain),
                         subnormal_share(function.outputs().back().toTensor())});
}

class Observer {
  public:
    explicit Observer(std::vector<SubnormalShare>& shares)
        : handle_(at::addThreadLocalCallback(
              at::RecordFunctionCallback(
                  [](const at::RecordFunction&) { return std::unique_ptr<at::ObserverContext>(); },
                  observe_output)
                  .needsOutputs(true)
                  .scopes({at::RecordScope::FUNCTION}))) {
        observed = &shares;
    }
    ~Observer() {
        observed = nullptr;
        at::removeCallback(handle_);
    }
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

  private:
    at::CallbackHandle handle_;
};

}  // namespace

double subnormal_share(const torch::Tensor& tensor) {
    const torch::NoGradGuard no_grad;
    if (tensor.numel() == 0) return 0.0;
    const auto layout = layout_of(tensor.scalar_type());
    const auto bits = tensor.detach().contiguous().view(layout.integer);
    const auto subnormal =
        bits.bitwise_and(layout.exponent).eq(0).logical_and_(bits.bitwise_and(layout.mantissa).ne(0));
    return subnormal.sum().item<double>() / static_cast<double>(tensor.numel());
}

std::vector<SubnormalShare> subnormal_activations(Model& model, const torch::Tensor& image) {
    const torch::NoGradGuard no_grad;
    const EvalMode eval_mode(model);
    std::vector<SubnormalShare> shares;
    std::vector<torch::Tensor> predictions;
    {
        const Observer observer(shares);
        predictions = model.forward(image);
    }
    for (size_t t = 0; t < predictions.size(); ++t)
        shares.push_back({"prediction." + model.tasks()[t].name, subnormal_share(predictions[t])});
    return shares;
}

SubnormalCounts::SubnormalCounts(int64_t every) : every_(every) {
    if (every < 1)
        throw Error("configuration", "count_subnormals_every", "at least 1", std::to_string(every));
}

void SubnormalCounts::after_gradients(TrainingStep& step) {
    const int64_t iteration = step.trainer.iteration();
    if (iteration % every_ != 0) return;
    auto& model = step.trainer.model();
    const auto add = [&](const SubnormalShare& share) { counts_.push_back({share, iteration}); };
    for (const auto& item : model.named_parameters()) {
        add({"weight." + item.key(), subnormal_share(item.value())});
        if (item.value().grad().defined())
            add({"gradient." + item.key(), subnormal_share(item.value().grad())});
    }
    for (const auto& share : subnormal_activations(model, step.batches.front().image)) add(share);
}

TensorMap SubnormalCounts::state() const {
    auto list = nlohmann::json::array();
    for (const auto& count : counts_) list.push_back({count.iteration, count.name, count.share});
    return {{"counts", text_tensor(list.dump())}};
}

void SubnormalCounts::load_state(const TensorMap& state) {
    const auto found = state.find("counts");
    if (found == state.end()) throw Error("checkpoint", "subnormals.counts", "a list", "nothing");
    counts_.clear();
    for (const auto& item : nlohmann::json::parse(tensor_text(found->second)))
        counts_.push_back({{item.at(1), item.at(2)}, item.at(0)});
}

}  // namespace mtlprune
