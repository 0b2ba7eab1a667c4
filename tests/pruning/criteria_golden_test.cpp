// Scores of one batch against the released code's and against its double-precision restatement, both from the
// golden folder.
#include <gtest/gtest.h>

#include "pruning/criteria/taylor.h"
#include "pruning/schedules/iterative_pruner.h"
#include "tests/float32_allowance.h"
#include "training/task_gradients.h"

namespace mtlprune::criteria_golden_test {
namespace {

/// The backbone's layers as the criteria see them.
struct Backbone {
    explicit Backbone(PaperModel& model)
        : network(*model, [model](const auto& in) { return model->forward(in[0]); },
                  {torch::zeros({1, 3, 97, 97}, model->parameters().front().options())}),
          pruner(network.couple({}), criteria().make("taylor"), lowest_of_shared(1, 1)),
          tensors(network.tensors()) {}

    /// From per-task gradients in TaskGradients order.
    Evidence evidence(PaperModel& model, const std::vector<std::vector<torch::Tensor>>& tasks) const {
        auto evidence = pruner.evidence(tensors);
        const auto total = sum_gradients(tasks);
        size_t i = 0;
        for (const auto& [name, parameter] : model->shared_parameters()) {
            for (const auto& task : tasks) evidence.task_gradients[name].push_back(task[i]);
            evidence.gradients[name] = total[i++];
        }
        return evidence;
    }

    ModuleNetwork network;
    Pruner pruner;
    StoredTensors tensors;
};

/// Per-task gradients of batch 0 in TaskGradients order.
std::vector<std::vector<torch::Tensor>> task_gradients(PaperModel& model, const Batch& batch) {
    TaskGradients gradients(*model, batch);
    std::vector<std::vector<torch::Tensor>> tasks;
    for (size_t t = 0; t < gradients.task_count(); ++t) tasks.push_back(gradients.shared(t));
    return tasks;
}

/// "taylor.<layer>" and "cos.<layer>" of one batch, in double precision whatever the model's.
TensorMap scores_of(PaperModel& model, const Batch& batch) {
    const Backbone backbone(model);
    const auto evidence = backbone.evidence(model, task_gradients(model, batch));
    const auto cosprune = criteria().make("cosprune");
    cosprune->observe(evidence);
    const auto cosines = cosprune->scores(evidence).scores;
    TensorMap scores;
    for (size_t l = 0; l < evidence.asked().size(); ++l) {
        scores["taylor." + std::to_string(l)] = gate_gradient(evidence, l).square();
        scores["cos." + std::to_string(l)] = cosines[evidence.asked()[l]];
    }
    return scores;
}

DrawnResults drawn_scores() {
    return drawn_results_of_model([](PaperModel& model) { return scores_of(model, golden_double_batch(0)); });
}

/// "taylor.3" -> "taylor.<kind>.3". The golden cosine of a zero gradient is 0/0; it is defined as 0.
torch::Tensor golden_score(const TensorMap& golden, const std::string& prefix, const std::string& name,
                           const std::string& kind) {
    const auto dot = name.find('.');
    return golden.at(prefix + name.substr(0, dot) + "." + kind + name.substr(dot))
        .to(torch::kDouble)
        .nan_to_num(0.0);
}

TEST(GoldenCriteria, OneBatchInDoublePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_double_model();
    const auto scores = scores_of(model, golden_double_batch(0));
    ASSERT_GT(scores.size(), 0U);
    for (const auto& [name, score] : scores) {
        const auto expected = golden_score(golden, "f64.", name, "intended");
        const double scale = name.rfind("cos", 0) == 0 ? 1.0 : expected.max().item<double>();
        EXPECT_LT((score - expected).abs().max().item<double>(), 1e-9 * scale) << name;
    }
}

TEST(GoldenCriteria, OneBatchInSinglePrecision) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_model();
    const auto drawn = drawn_scores();
    for (const auto& [name, score] : scores_of(model, golden_batch(0))) {
        const auto difference = score - golden_score(golden, "f64.", name, "intended");
        EXPECT_LE(difference.abs().max().item<double>(), drawn.allowance(name)) << name;
    }
}

TEST(GoldenCriteria, OneBatchAsReleased) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    const auto drawn = drawn_scores();
    const auto layer_means = golden.at("cos.layer_mean_ascoded").to(torch::kDouble);
    for (const auto& [name, exact] : drawn.exact) {
        expect_as_drawn(drawn, name, golden_score(golden, "", name, "intended"));
        if (name.rfind("cos", 0) != 0) continue;
        expect_as_drawn(drawn, name, golden_score(golden, "", name, "ascoded"));
        EXPECT_NEAR(exact.mean().item<double>(), layer_means[std::stol(name.substr(4))].item<double>(),
                    drawn.allowance(name))
            << name;
    }
}

/// One gate of 1 per filter, to be differentiated by.
std::vector<torch::Tensor> open_gates(const PaperModel& model) {
    std::vector<torch::Tensor> gates;
    for (const int64_t width : widths(*model))
        gates.push_back(torch::ones({width}, torch::kDouble).requires_grad_(true));
    return gates;
}

/// "taylor.<layer>" of the first iteration as the released engine accumulates it.
TensorMap released_taylor(PaperModel& model) {
    const auto gates = open_gates(model);
    model->set_gates(gates);
    TaskGradients gradients(*model, golden_double_batch(0), Fidelity::as_released);
    const auto total = gradients.shared_total();
    model->set_gates({});
    const Backbone backbone(model);
    auto evidence = backbone.pruner.evidence(backbone.tensors);
    evidence.gate_gradients = {total.end() - static_cast<std::ptrdiff_t>(gates.size()), total.end()};
    const auto criterion = criteria().make("taylor", /*as_released=*/true);
    criterion->observe(evidence);
    const auto found = criterion->scores(evidence).scores;
    TensorMap scores;
    for (size_t g = 0; g < gates.size(); ++g)
        scores["taylor." + std::to_string(g)] = found[evidence.asked()[g]];
    return scores;
}

TEST(GoldenCriteria, FirstIterationAsReleased) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    const auto drawn = drawn_results_of_model(released_taylor);
    for (const auto& [name, exact] : drawn.exact) {
        expect_as_drawn(drawn, name, golden_score(golden, "", name, "ascoded"));
        // The engine adds the gates' gradient twice: 4 times the square (golden README, taylor.ascoded).
        const auto intended = golden_score(golden, "f64.", name, "intended");
        EXPECT_LT((exact - 4 * intended).abs().max().item<double>(), 4e-9 * intended.max().item<double>())
            << name;
    }
}

/// "<task>.<layer>": gradients by the gates.
TensorMap gate_gradients(PaperModel& model) {
    const auto gates = open_gates(model);
    model->set_gates(gates);
    TaskGradients gradients(*model, golden_double_batch(0));
    TensorMap found;
    for (size_t t = 0; t < gradients.task_count(); ++t) {
        const auto of_task = gradients.shared(t);
        for (size_t g = 0; g < gates.size(); ++g)
            found[golden_tasks()[t] + "." + std::to_string(g)] = of_task[of_task.size() - gates.size() + g];
    }
    return found;
}

TEST(GoldenCriteria, GateGradientsOfEachTask) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    const auto drawn = drawn_results_of_model(gate_gradients);
    for (const auto& [name, exact] : drawn.exact)
        expect_as_drawn(drawn, name, golden.at("gate_grad." + name));
}

TEST(GoldenCriteria, LossesOfTheGradients) {
    MTLPRUNE_REQUIRE_GOLDEN();
    const auto golden = golden_pt("golden_b0.pt");
    auto model = golden_double_model();
    TaskGradients gradients(*model, golden_double_batch(0));
    for (size_t t = 0; t < gradients.task_count(); ++t) {
        const double loss = golden.at("f64.loss." + golden_tasks()[t]).item<double>();
        EXPECT_NEAR(gradients.losses()[t].item<double>(), loss, 1e-12 * std::abs(loss)) << golden_tasks()[t];
    }
}

}  // namespace
}  // namespace mtlprune::criteria_golden_test
