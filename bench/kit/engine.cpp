#include "bench/kit/engine.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include "base/error.h"
#include "models/layers/convolve.h"

namespace mtlprune {
namespace {

std::vector<torch::Tensor> reference_outputs(const Workload& workload) {
    const c10::InferenceMode inference;
    const LibraryConvolutions library;
    const auto model = workload.make_model();
    model->eval();
    return model->forward(workload.image);
}

double relative_difference(const torch::Tensor& found, const torch::Tensor& expected) {
    const double size = std::max(expected.abs().max().item<double>(), 1e-30);
    return (found - expected).abs().max().item<double>() / size;
}

}  // namespace

const Registry<Engine>& engines() {
    static const auto registry = [] {
        Registry<Engine> all("engine");
        for (const auto& entry : {mtlprune_engine(), eager_engine(), torchscript_engine(), openvino_engine(),
                                  onnxruntime_engine()})
            all.add(entry);
        return all;
    }();
    return registry;
}

std::unique_ptr<Subject> prepare_checked(const Engine& engine, const std::string& name,
                                         const Workload& workload) {
    const auto expected = reference_outputs(workload);
    auto subject = engine.prepare(workload);
    subject->run();
    subject->synchronise();
    const c10::InferenceMode inference;
    const auto found = subject->outputs();
    if (found.size() != expected.size())
        throw Error("engine " + name, "outputs", fmt::format("{} predictions", expected.size()),
                    std::to_string(found.size()));
    for (size_t i = 0; i < found.size(); ++i) {
        const auto place = fmt::format("prediction {}", i);
        if (found[i].sizes() != expected[i].sizes())
            throw Error("engine " + name, place, fmt::format("shape {}", fmt::join(expected[i].sizes(), "x")),
                        fmt::format("{}", fmt::join(found[i].sizes(), "x")));
        const double difference = relative_difference(found[i], expected[i]);
        if (!(difference <= engine.tolerance()))
            throw Error(
                "engine " + name, place,
                fmt::format("LibTorch's results within {:.0e} of their largest value", engine.tolerance()),
                fmt::format("{:.1e}", difference));
    }
    return subject;
}

}  // namespace mtlprune
