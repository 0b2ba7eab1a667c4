// OpenVINO on the CPU, in this process.
#include "bench/kit/engine.h"
#include "bench/kit/engines/onnx_file.h"

#ifdef MTLPRUNE_OPENVINO
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <openvino/openvino.hpp>
#include <openvino/runtime/intel_cpu/properties.hpp>

#include "training/flush_denormals.h"
#endif

namespace mtlprune {
namespace {

#ifdef MTLPRUNE_OPENVINO

ov::AnyMap openvino_properties(bool bfloat16) {
    return {ov::inference_num_threads(at::get_num_threads()), ov::num_streams(1),
            ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
            ov::hint::inference_precision(bfloat16 ? ov::element::bf16 : ov::element::f32),
            // As for all other engines, the system chooses cores.
            ov::hint::enable_cpu_pinning(false), ov::intel_cpu::denormals_optimization(flushes_denormals())};
}

class OpenVinoSubject : public Subject {
  public:
    OpenVinoSubject(const Workload& workload, bool bfloat16) : image_(workload.image.contiguous()) {
        const auto network = core_.read_model(onnx_file(*workload.make_model(), image_).string());
        predictions_ = network->outputs().size();
        request_ = core_.compile_model(network, "CPU", openvino_properties(bfloat16)).create_infer_request();
        const ov::Shape shape(image_.sizes().begin(), image_.sizes().end());
        request_.set_input_tensor(ov::Tensor(ov::element::f32, shape, image_.data_ptr<float>()));
    }
    void run() override { request_.infer(); }
    std::vector<torch::Tensor> outputs() override {
        std::vector<torch::Tensor> outputs;
        for (size_t i = 0; i < predictions_; ++i) {
            const auto output = request_.get_output_tensor(i);
            const std::vector<int64_t> shape(output.get_shape().begin(), output.get_shape().end());
            outputs.push_back(torch::empty(shape));
            output.copy_to(
                ov::Tensor(ov::element::f32, output.get_shape(), outputs.back().data_ptr<float>()));
        }
        return outputs;
    }

  private:
    torch::Tensor image_;
    ov::Core core_;
    ov::InferRequest request_;
    size_t predictions_ = 0;
};

/// Whether the processor multiplies bfloat16; without, OpenVINO would quietly take float32.
bool has_bfloat16() {
    const auto capabilities = ov::Core().get_property("CPU", ov::device::capabilities);
    return std::ranges::find(capabilities, ov::device::capability::BF16) != capabilities.end();
}

#endif

class OpenVino : public Engine {
  public:
    explicit OpenVino(bool bfloat16) : bfloat16_(bfloat16) {}
    double tolerance() const override { return bfloat16_ ? 1e-1 : 1e-3; }
#ifdef MTLPRUNE_OPENVINO
    std::string missing() const override {
        if (const auto missing = missing_onnx(); !missing.empty()) return missing;
        return bfloat16_ && !has_bfloat16() ? "this processor has no bfloat16 arithmetic" : "";
    }
    std::string version() const override {
        return ov::get_openvino_version().buildNumber;
    }
    std::unique_ptr<Subject> prepare(const Workload& workload) const override {
        try {
            return std::make_unique<OpenVinoSubject>(workload, bfloat16_);
        } catch (const ov::Exception& exception) {
            throw Error("engine openvino", "network", exception.what());
        }
    }
#else
    std::string missing() const override {
        return "built without OpenVINO: see bench/engines_setup.sh";
    }
    std::unique_ptr<Subject> prepare(const Workload&) const override {
        throw Error("engine openvino", "program", missing());
    }
#endif

  private:
    bool bfloat16_;
};

}  // namespace

Registry<Engine>::Entry openvino_engine() {
    return {{.key = "openvino",
             .summary = "OpenVINO's CPU plugin, one stream",
             .options = {{"dtype", "float32", "of its arithmetic", {"float32", "bfloat16"}}}},
            [](const nlohmann::json& options) {
                return std::make_unique<OpenVino>(options.at("dtype").get<std::string>() == "bfloat16");
            }};
}

}  // namespace mtlprune
