#include "pruning/schedules/model_passes.h"

#include <torch/utils.h>

#include "base/random.h"
#include "models/eval_mode.h"
#include "training/losses.h"

namespace mtlprune {
namespace {

/// The destructor gives the module its modes and buffers back.
class BorrowedMode {
  public:
    BorrowedMode(torch::nn::Module& module, bool training) : mode_(module, training) {
        const torch::NoGradGuard no_grad;
        for (const auto& buffer : module.buffers()) buffers_.emplace_back(buffer, buffer.clone());
    }
    BorrowedMode(const BorrowedMode&) = delete;
    BorrowedMode& operator=(const BorrowedMode&) = delete;
    ~BorrowedMode() {
        const torch::NoGradGuard no_grad;
        for (auto& [buffer, before] : buffers_) buffer.copy_(before);
    }

  private:
    ModuleMode mode_;
    std::vector<std::pair<torch::Tensor, torch::Tensor>> buffers_;
};

torch::Tensor rows_of(const torch::Tensor& x, SampleRange rows) {
    return x.narrow(0, rows.begin, rows.count());
}

std::vector<Target> rows_of(const std::vector<Target>& targets, SampleRange rows) {
    std::vector<Target> chosen;
    for (const auto& target : targets)
        chosen.push_back({rows_of(target.value, rows), rows_of(target.mask, rows)});
    return chosen;
}

/// Drawn from the softmax of the prediction [B,C,...], everywhere.
Target drawn_target(const torch::Tensor& prediction, uint64_t key) {
    const torch::NoGradGuard no_grad;
    const auto shares = prediction.softmax(1).movedim(1, -1).to(torch::kCPU);
    auto sizes = shares.sizes().vec();
    sizes.pop_back();
    const auto classes = at::multinomial(shares.reshape({-1, shares.size(-1)}), 1, /*replacement=*/true,
                                         at::detail::createCPUGenerator(key))
                             .view(sizes)
                             .to(prediction.device());
    return {classes,
            torch::ones_like(prediction.narrow(1, 0, 1), torch::kBool)
                .view(prediction.dim() > 2 ? prediction.narrow(1, 0, 1).sizes() : at::IntArrayRef(sizes))};
}

bool has_classes(const TaskSpec& task) {
    return task.kind == TaskKind::segmentation || task.kind == TaskKind::classification;
}

}  // namespace

Passes model_passes(Model& model, const Batch& batch, Fidelity losses) {
    Passes passes;
    passes.samples = batch.size();
    passes.input = batch.image;
    passes.outputs = [&model](const torch::Tensor& input) { return model.forward(input); };
    passes.losses = [&model, &batch, losses](SampleRange rows) {
        return task_losses(model.tasks(), model.forward(rows_of(batch.image, rows)),
                           rows_of(batch.targets, rows), losses);
    };
    passes.drawn_losses = [&model, &batch, losses](SampleRange rows, uint64_t key) {
        const auto predictions = model.forward(rows_of(batch.image, rows));
        auto targets = rows_of(batch.targets, rows);
        for (size_t t = 0; t < targets.size(); ++t)
            if (has_classes(model.tasks()[t]))
                targets[t] = drawn_target(predictions[t], mix_key(key, Stream::method, t));
        return task_losses(model.tasks(), predictions, targets, losses);
    };
    passes.in_mode = [&model](bool training) { return std::make_shared<BorrowedMode>(model, training); };
    return passes;
}

}  // namespace mtlprune
