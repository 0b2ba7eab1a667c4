// TorchScript, frozen and prepared for inference.
#include <torch/script.h>
#include <torch/utils.h>

#include "bench/kit/engine.h"
#include "bench/kit/engines/placement_options.h"
#include "models/weights/torchscript.h"

namespace mtlprune {
namespace {

class ScriptSubject : public Subject {
  public:
    ScriptSubject(const Workload& workload, const PlacementOptions& placement, bool optimise)
        : placement_(placement), image_(placement.place(workload.image)) {
        const auto model = workload.make_model();
        placement_.place(*model);
        const torch::NoGradGuard no_grad;
        auto script = to_torchscript(*model, image_);
        script.eval();
        module_ = torch::jit::freeze(script);
        if (optimise) module_ = torch::jit::optimize_for_inference(module_);
        // The profiling executor specialises its code in the first runs.
        for (int i = 0; i < 3; ++i) run();
    }
    void run() override {
        const c10::InferenceMode inference;
        predictions_ = module_.forward({image_});
    }
    void synchronise() override { placement_.synchronise(); }
    std::vector<torch::Tensor> outputs() override {
        std::vector<torch::Tensor> all;
        for (const auto& prediction : predictions_.toTupleRef().elements())
            all.push_back(prediction.toTensor().is_mkldnn() ? prediction.toTensor().to_dense()
                                                            : prediction.toTensor());
        return as_outputs(all);
    }

  private:
    PlacementOptions placement_;
    torch::Tensor image_;
    torch::jit::Module module_;
    c10::IValue predictions_;
};

class TorchScript : public Engine {
  public:
    TorchScript(PlacementOptions placement, bool optimise) : placement_(placement), optimise_(optimise) {}
    std::string missing() const override { return placement_.missing(); }
    double tolerance() const override { return placement_.tolerance(); }
    std::unique_ptr<Subject> prepare(const Workload& workload) const override {
        return std::make_unique<ScriptSubject>(workload, placement_, optimise_);
    }

  private:
    PlacementOptions placement_;
    bool optimise_;
};

}  // namespace

Registry<Engine>::Entry torchscript_engine() {
    auto options = placement_options();
    options.push_back(
        {"optimise", true, "optimize_for_inference after freezing: layouts of oneDNN, fused operators"});
    return {{.key = "torchscript", .summary = "frozen TorchScript", .options = options},
            [](const nlohmann::json& given) {
                return std::make_unique<TorchScript>(read_placement_options(given),
                                                     given.at("optimise").get<bool>());
            }};
}

}  // namespace mtlprune
