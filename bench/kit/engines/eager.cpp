// LibTorch, operator by operator.
#include <torch/utils.h>

#include <optional>

#include "bench/kit/engine.h"
#include "bench/kit/engines/placement_options.h"
#include "models/layers/convolve.h"

namespace mtlprune {
namespace {

class EagerSubject : public Subject {
  public:
    EagerSubject(const Workload& workload, const PlacementOptions& placement, bool library)
        : placement_(placement), library_(library), image_(placement.place(workload.image)) {
        model_ = workload.make_model();
        placement_.place(*model_);
    }
    void run() override {
        const c10::InferenceMode inference;
        std::optional<LibraryConvolutions> library;
        if (library_) library.emplace();
        predictions_ = model_->forward(image_);
    }
    void synchronise() override { placement_.synchronise(); }
    std::vector<torch::Tensor> outputs() override { return as_outputs(predictions_); }

  private:
    PlacementOptions placement_;
    bool library_;
    torch::Tensor image_;
    ModelPtr model_;
    std::vector<torch::Tensor> predictions_;
};

class Eager : public Engine {
  public:
    Eager(PlacementOptions placement, bool library) : placement_(placement), library_(library) {}
    std::string missing() const override { return placement_.missing(); }
    double tolerance() const override { return placement_.tolerance(); }
    std::unique_ptr<Subject> prepare(const Workload& workload) const override {
        return std::make_unique<EagerSubject>(workload, placement_, library_);
    }

  private:
    PlacementOptions placement_;
    bool library_;
};

Registry<Engine>::Entry eager_entry(const char* key, const char* summary, bool library) {
    return {{.key = key, .summary = summary, .options = placement_options()},
            [library](const nlohmann::json& options) {
                return std::make_unique<Eager>(read_placement_options(options), library);
            }};
}

}  // namespace

Registry<Engine>::Entry mtlprune_engine() {
    return eager_entry("mtlprune", "the C++ model with the layers' own kernels", false);
}

Registry<Engine>::Entry eager_engine() {
    return eager_entry("eager", "the C++ model with LibTorch's convolutions", true);
}

}  // namespace mtlprune
