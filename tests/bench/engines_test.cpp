#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <torch/utils.h>

#include <filesystem>
#include <optional>

#include "bench/kit/engine.h"
#include "bench/kit/engines/onnx_file.h"
#include "bench/kit/latency.h"
#include "bench/kit/variants.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"
#include "tests/tiny_models.h"

namespace mtlprune {
namespace {

std::vector<TaskSpec> engine_tasks() {
    return nyuv2_tasks(5);
}

torch::Tensor engine_image(int64_t batch, int64_t side) {
    return torch::randn({batch, 3, side, side}, at::detail::createCPUGenerator(7));
}

/// Batch norms that are not the identity, so that folding them shows.
void draw_statistics(Model& model) {
    const torch::NoGradGuard no_grad;
    auto generator = at::detail::createCPUGenerator(8);
    for (auto& buffer : model.named_buffers()) {
        if (buffer.key().ends_with("running_mean")) buffer.value().normal_(0.0, 0.1, generator);
        if (buffer.key().ends_with("running_var")) buffer.value().uniform_(0.5, 2.0, generator);
    }
}

Workload tiny_workload(const std::string& backbone, const std::string& network, int64_t batch) {
    const auto text = tiny(backbones().at(backbone)) + "/" + tiny(heads().at("smallaspp"));
    const auto image = engine_image(batch, tiny_side(text));
    const auto spec = parse_model_spec(text, "test");
    const auto variant = make_variant(network, spec, engine_tasks(), image);
    return {[=] {
                auto model = build_variant(variant, spec, engine_tasks());
                draw_statistics(*model);
                return model;
            },
            image};
}

/// An environment variable as long as the object lives; empty: not set.
class Variable {
  public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* before = ::getenv(name)) before_ = before;
        set(value.empty() ? std::nullopt : std::optional(value));
    }
    ~Variable() { set(before_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

  private:
    void set(const std::optional<std::string>& value) const {
        if (value)
            ::setenv(name_, value->c_str(), 1);
        else
            ::unsetenv(name_);
    }
    const char* name_;
    std::optional<std::string> before_;
};

// ---- every engine ----

std::vector<std::string> tested_engines() {
    auto texts = engines().keys();
    for (const auto* text : {"eager:layout=channels_last", "eager:dtype=bfloat16",
                             "torchscript:optimise=false", "openvino:dtype=bfloat16"})
        texts.emplace_back(text);
    return texts;
}

class EveryEngine : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        engine_ = engines().make(GetParam());
        if (const auto missing = engine_->missing(); !missing.empty()) GTEST_SKIP() << missing;
    }
    void check(const std::string& backbone, const std::string& network, int64_t batch) const {
        const auto workload = tiny_workload(backbone, network, batch);
        const auto subject = prepare_checked(*engine_, GetParam(), workload);
        const auto first = subject->outputs();
        ASSERT_EQ(first.size(), 3);
        // Again and again the same, and earlier results stay what they were.
        const auto copy = first[0].clone();
        subject->run();
        subject->synchronise();
        EXPECT_TRUE(first[0].equal(copy));
        EXPECT_TRUE(subject->outputs()[0].equal(copy));
    }

  private:
    std::unique_ptr<Engine> engine_;
};

TEST_P(EveryEngine, Vgg) {
    check("vgg16", "dense", 1);
}
TEST_P(EveryEngine, PrunedVggInBatches) {
    check("vgg16", "l2@channels=0.5", 2);
}
TEST_P(EveryEngine, DeepLabInBatches) {
    check("deeplab_resnet34", "dense", 2);
}
TEST_P(EveryEngine, PrunedDeepLab) {
    check("deeplab_resnet34", "l2@channels=0.5", 1);
}

INSTANTIATE_TEST_SUITE_P(Engines, EveryEngine, testing::ValuesIn(tested_engines()), [](const auto& info) {
    auto name = info.param;
    for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    return name;
});

TEST(Engines, HalfPrecisionIsUsedWhereItIsAskedFor) {
    const auto engine = engines().make("openvino:dtype=bfloat16");
    if (const auto missing = engine->missing(); !missing.empty()) GTEST_SKIP() << missing;
    const auto workload = tiny_workload("vgg16", "dense", 1);
    const auto half = prepare_checked(*engine, "half", workload)->outputs()[0];
    const auto full = prepare_checked(*engines().make("openvino"), "full", workload)->outputs()[0];
    // bfloat16 has 8 bits: 2^-9 = 2e-3 per rounding; float32 stays below 1e-6.
    EXPECT_GT((half - full).abs().max().item<double>() / full.abs().max().item<double>(), 1e-4);
}

// ---- engines that compute something else ----

struct FakeSubject : Subject {
    explicit FakeSubject(std::vector<torch::Tensor> all) : given(std::move(all)) {}
    void run() override {}
    std::vector<torch::Tensor> outputs() override { return given; }
    std::vector<torch::Tensor> given;
};

/// LibTorch's results after `change`.
class FakeEngine : public Engine {
  public:
    using Change = std::function<void(std::vector<torch::Tensor>&)>;
    explicit FakeEngine(Change change) : change_(std::move(change)) {}
    std::unique_ptr<Subject> prepare(const Workload& workload) const override {
        const torch::NoGradGuard no_grad;
        const auto model = workload.make_model();
        model->eval();
        auto outputs = model->forward(workload.image);
        change_(outputs);
        return std::make_unique<FakeSubject>(outputs);
    }

  private:
    Change change_;
};

std::string refusal(const FakeEngine::Change& change) {
    const auto workload = tiny_workload("vgg16", "dense", 1);
    return error_of([&] { prepare_checked(FakeEngine(change), "fake", workload); });
}

TEST(CheckedEngines, OneWrongValue) {
    const auto message = refusal([](auto& outputs) {
        auto values = outputs[1].contiguous().view(-1);
        values[values.numel() - 1] += 0.5 * values.abs().max();
        outputs[1] = values.view(outputs[1].sizes());
    });
    EXPECT_EQ(message,
              "engine fake: prediction 1: expected LibTorch's results within 1e-03 of their largest value, "
              "found 5.0e-01");
}

TEST(CheckedEngines, NotANumber) {
    const auto message = refusal([](auto& outputs) { outputs[0].fill_(NAN); });
    EXPECT_TRUE(message.starts_with("engine fake: prediction 0: expected LibTorch's results")) << message;
    EXPECT_TRUE(message.ends_with("nan")) << message;
}

TEST(CheckedEngines, AnotherShape) {
    EXPECT_TRUE(refusal([](auto& outputs) {
                    outputs[2] = outputs[2].squeeze(0);
                }).starts_with("engine fake: prediction 2: expected shape 1x1x"));
}

TEST(CheckedEngines, PredictionsInAnotherOrder) {
    EXPECT_TRUE(refusal([](auto& outputs) {
                    std::swap(outputs[0], outputs[1]);
                }).starts_with("engine fake: prediction 0: expected shape 1x5x"));
}

TEST(CheckedEngines, APredictionTooFew) {
    EXPECT_EQ(refusal([](auto& outputs) { outputs.pop_back(); }),
              "engine fake: outputs: expected 3 predictions, found 2");
}

TEST(CheckedEngines, SmallDifferencesPass) {
    const auto workload = tiny_workload("vgg16", "dense", 1);
    const FakeEngine engine([](auto& outputs) { outputs[0] *= 1.0001; });
    EXPECT_NO_THROW(prepare_checked(engine, "fake", workload));
}

// ---- engines in another process ----

/// A program that stands for Python: says that it has all packages, writes empty ONNX files, and runs
/// `script` in place of ONNX Runtime.
std::string fake_python(const TemporaryFolder& folder, const std::string& script) {
    const auto path = folder / "python";
    write_bytes(path, fmt::format("#!/bin/sh\n"
                                  "case \"$1\" in\n"
                                  "-c) echo 1.2.3;;\n"
                                  "*to_onnx.py) : > \"$4\"; echo written;;\n"
                                  "*) {};;\n"
                                  "esac\n",
                                  script));
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
}

TEST(OnnxRuntime, WithoutPythonItIsMissing) {
    const auto engine = engines().make("onnxruntime");
    const Variable none("MTLPRUNE_BENCH_PYTHON", "");
    EXPECT_EQ(engine->missing(),
              "MTLPRUNE_BENCH_PYTHON names no Python with onnxruntime and torch: see bench/engines_setup.sh");
    EXPECT_EQ(engine->version(), "");
    const Variable wrong("MTLPRUNE_BENCH_PYTHON", "/no/python");
    EXPECT_EQ(engine->missing(),
              "MTLPRUNE_BENCH_PYTHON: /no/python: cannot be started: No such file or directory");
}

TEST(OnnxRuntime, AMissingPackageIsNamed) {
    const TemporaryFolder folder;
    write_bytes(folder / "python", "#!/bin/sh\n[ \"$3\" = torch ] && echo - || echo 1.0\n");
    std::filesystem::permissions(folder / "python", std::filesystem::perms::owner_all);
    const Variable python("MTLPRUNE_BENCH_PYTHON", folder / "python");
    EXPECT_EQ(
        engines().make("onnxruntime")->missing(),
        fmt::format("{} has no package torch: see bench/engines_setup.sh", (folder / "python").string()));
}

// The batch sizes are their own: what the fake writes must not be found by other tests of this process.
TEST(OnnxRuntime, AChildThatDiesBeforeItsFirstRun) {
    const TemporaryFolder folder;
    const auto python = fake_python(folder, "echo 'Illegal instruction' >&2; exit 132");
    const Variable variable("MTLPRUNE_BENCH_PYTHON", python);
    const auto engine = engines().make("onnxruntime");
    EXPECT_EQ(engine->missing(), "");
    EXPECT_EQ(engine->version(), "1.2.3");
    EXPECT_EQ(error_of([&] { engine->prepare(tiny_workload("vgg16", "dense", 3)); }),
              fmt::format("ONNX Runtime: {}: expected an answer, found exit code 132: Illegal instruction",
                          python));
}

TEST(OnnxRuntime, AChildThatDiesWhileItIsMeasured) {
    const TemporaryFolder folder;
    const auto python = fake_python(folder, "echo ready; read a; echo 0.5; read a; kill -9 $$");
    const Variable variable("MTLPRUNE_BENCH_PYTHON", python);
    const auto subject = engines().make("onnxruntime")->prepare(tiny_workload("vgg16", "dense", 4));
    subject->run();
    EXPECT_EQ(subject->own_seconds(), 0.5);
    EXPECT_EQ(error_of([&] { subject->run(); }),
              fmt::format("ONNX Runtime: {}: expected an answer, found killed by signal 9", python));
}

TEST(OnnxRuntime, AnAnswerThatIsNoTime) {
    const TemporaryFolder folder;
    const auto python = fake_python(folder, "echo ready; read a; echo fast");
    const Variable variable("MTLPRUNE_BENCH_PYTHON", python);
    const auto subject = engines().make("onnxruntime")->prepare(tiny_workload("vgg16", "dense", 4));
    EXPECT_EQ(error_of([&] { subject->run(); }), "ONNX Runtime: run: expected seconds, found \"fast\"");
}

TEST(OnnxFile, IsWrittenOnceForANetworkAndAShape) {
    if (const auto missing = missing_onnx(); !missing.empty()) GTEST_SKIP() << missing;
    const auto workload = tiny_workload("vgg16", "dense", 1);
    const auto file = onnx_file(*workload.make_model(), workload.image);
    const auto written = std::filesystem::last_write_time(file);
    EXPECT_EQ(onnx_file(*workload.make_model(), workload.image), file);
    EXPECT_EQ(std::filesystem::last_write_time(file), written);
    EXPECT_NE(onnx_file(*workload.make_model(), torch::cat({workload.image, workload.image})), file);
}

// ---- whose time counts ----

struct SelfTimed : FakeSubject {
    SelfTimed() : FakeSubject({}) {}
    std::optional<double> own_seconds() const override { return 0.25; }
};

TEST(Latencies, WhatASubjectMeasuresItselfCounts) {
    SelfTimed timed;
    const auto latencies =
        measure_latencies({&timed}, {.warm_up_runs = 1, .warm_up_seconds = 0, .seconds = 0, .runs = 3});
    EXPECT_EQ(latencies.front(), (Latencies{0.25, 0.25, 0.25}));
}

}  // namespace
}  // namespace mtlprune
