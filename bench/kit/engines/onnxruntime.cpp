// ONNX Runtime in a Python of its own, which measures its runs itself.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include <cstring>
#include <sstream>

#include "base/atomic_file.h"
#include "bench/kit/engine.h"
#include "bench/kit/engines/bench_python.h"
#include "bench/kit/engines/onnx_file.h"
#include "bench/kit/line_process.h"
#include "bench/kit/scratch_folder.h"
#include "training/flush_denormals.h"

namespace mtlprune {
namespace {

/// A name that no other subject has.
std::filesystem::path exchange_file(const std::string& content) {
    static int number = 0;
    return scratch_folder() / fmt::format("{}_{}.bin", content, number++);
}

std::filesystem::path write_values(const torch::Tensor& image) {
    const auto values = image.to(torch::kFloat32).contiguous();
    auto path = exchange_file("image");
    write_file_atomically(path, {static_cast<const char*>(values.data_ptr()), values.nbytes()});
    return path;
}

std::vector<int64_t> shape_of(const std::string& text) {
    std::vector<int64_t> shape;
    std::istringstream sizes(text);
    for (std::string size; std::getline(sizes, size, 'x');) shape.push_back(std::stoll(size));
    return shape;
}

double seconds_of(const std::string& answer) {
    double seconds = 0;
    if (!(std::istringstream(answer) >> seconds))
        throw Error("ONNX Runtime", "run", "seconds", fmt::format("\"{}\"", answer));
    return seconds;
}

class OnnxRuntimeSubject : public Subject {
  public:
    explicit OnnxRuntimeSubject(const Workload& workload)
        : image_(write_values(workload.image)),
          outputs_(exchange_file("outputs")),
          runtime_("ONNX Runtime",
                   bench_script("run_onnx.py",
                                {onnx_file(*workload.make_model(), workload.image), image_, outputs_,
                                 std::to_string(at::get_num_threads()), flushes_denormals() ? "1" : "0"})) {
        runtime_.read_line();
        std::filesystem::remove(image_);
    }
    void run() override { seconds_ = seconds_of(runtime_.ask("run")); }
    std::optional<double> own_seconds() const override { return seconds_; }
    std::vector<torch::Tensor> outputs() override {
        std::istringstream shapes(runtime_.ask("save"));
        const auto bytes = read_file(outputs_);
        std::filesystem::remove(outputs_);
        std::vector<torch::Tensor> outputs;
        size_t at = 0;
        for (std::string shape; shapes >> shape;) {
            auto output = torch::empty(shape_of(shape));
            if (at + output.nbytes() > bytes.size())
                throw Error("ONNX Runtime", outputs_, fmt::format("{} values", shape), "fewer");
            std::memcpy(output.data_ptr(), bytes.data() + at, output.nbytes());
            at += output.nbytes();
            outputs.push_back(output);
        }
        return outputs;
    }

  private:
    std::filesystem::path image_, outputs_;
    LineProcess runtime_;
    double seconds_ = 0;
};

class OnnxRuntime : public Engine {
  public:
    std::string missing() const override { return missing_python({"onnxruntime", "torch"}); }
    std::string version() const override { return python_version_of("onnxruntime"); }
    std::unique_ptr<Subject> prepare(const Workload& workload) const override {
        return std::make_unique<OnnxRuntimeSubject>(workload);
    }
};

}  // namespace

Registry<Engine>::Entry onnxruntime_engine() {
    return {{.key = "onnxruntime", .summary = "ONNX Runtime's CPU kernels, all graph optimisations"},
            [](const nlohmann::json&) { return std::make_unique<OnnxRuntime>(); }};
}

}  // namespace mtlprune
