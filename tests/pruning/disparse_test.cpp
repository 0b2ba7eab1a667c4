// DiSparse on weights against slow loops over plain gradients, its masks while training, and resumption.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "pruning/masks/disparse.h"
#include "pruning/masks/erk.h"
#include "tests/bad_input.h"
#include "tests/pruning/masked_run.h"

namespace mtlprune::disparse_test {
namespace {

/// Settled after the first two thirds of a few iterations.
std::string quick_dynamic(const std::string& more = "") {
    return "disparse:mode=dynamic,density=0.3,interval=2,until=0.7" + more;
}

/// The `count` highest of a list of (score, where), the later of equal ones first.
std::vector<size_t> last_of(std::vector<std::pair<double, size_t>> scored, size_t count) {
    std::sort(scored.begin(), scored.end());
    std::vector<size_t> chosen;
    for (size_t i = scored.size() - count; i < scored.size(); ++i) chosen.push_back(scored[i].second);
    return chosen;
}

/// Scores [task][weight][element] -> which are kept when every task keeps this share and all must agree.
std::vector<std::vector<double>> kept_by_all(const std::vector<MaskableWeight>& weights,
                                             const std::vector<TaskSpec>& tasks,
                                             const std::vector<std::vector<torch::Tensor>>& scores,
                                             double share) {
    std::vector<std::vector<double>> kept;
    for (const auto& weight : weights) kept.emplace_back(static_cast<size_t>(weight.parameter.numel()), 0.0);
    for (size_t t = 0; t < tasks.size(); ++t) {
        std::vector<std::pair<double, size_t>> scored;
        std::vector<std::pair<size_t, size_t>> places;
        for (size_t i = 0; i < weights.size(); ++i) {
            if (!weights[i].task.empty() && weights[i].task != tasks[t].name) continue;
            const auto values = doubles(scores[t][i]);
            for (size_t e = 0; e < values.size(); ++e) {
                scored.emplace_back(values[e], places.size());
                places.emplace_back(i, e);
            }
        }
        for (const size_t p :
             last_of(scored, static_cast<size_t>(share * static_cast<double>(scored.size()))))
            kept[places[p].first][places[p].second] = 1.0;
    }
    return kept;
}

void expect_masks(const WeightMasks& masks, const std::vector<std::vector<double>>& expected) {
    ASSERT_EQ(masks.layers().size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(doubles(masks.layers()[i].kept), expected[i]) << masks.layers()[i].name;
}

/// [task][weight]: |x g| of plain gradients over the first mini-batches, x = w; or |g|.
std::vector<std::vector<torch::Tensor>> summed(int64_t batches, bool times_weight) {
    const auto model = drawn_model();
    const auto weights = maskable_weights(*model);
    std::vector<std::vector<torch::Tensor>> sums;
    for (int64_t b = 0; b < batches; ++b) {
        auto gradients = plain_gradients(*model, MaskedRun::batch_at(b));
        sums.resize(gradients.size(), std::vector<torch::Tensor>(weights.size()));
        for (size_t t = 0; t < gradients.size(); ++t)
            for (size_t i = 0; i < weights.size(); ++i) {
                auto score = times_weight ? weights[i].parameter.detach() * gradients[t][i] : gradients[t][i];
                sums[t][i] = sums[t][i].defined() ? sums[t][i] + score.abs() : score.abs();
            }
    }
    return sums;
}

TEST(DisparseStatic, KeepsWhatSlowLoopsKeep) {
    MaskedRun run(drawn_model(), "disparse:mode=static,batches=2,keep=0.2,redraw=false", 4);
    const auto scores = summed(2, true);
    run.step(2);
    expect_masks(run.masks(), kept_by_all(run.weights(), run.model->tasks(), scores, 0.2));
}

/// The loss as a function of a factor on one weight.
TEST(DisparseStatic, AScoreIsTheGradientOfAMask) {
    const auto model = drawn_model();
    const auto weights = maskable_weights(*model);
    const auto batch = MaskedRun::batch_at(0);
    const auto gradients = plain_gradients(*model, batch);
    const torch::NoGradGuard no_grad;
    for (const size_t i : {size_t{0}, size_t{2}, weights.size() - 1})
        for (const int64_t element : {0, 3}) {
            auto place = torch::Tensor(weights[i].parameter).detach().view({-1})[element];
            const double value = place.item<double>();
            const auto loss_at = [&](double mask) {
                place.fill_(value * mask);
                std::vector<double> losses;
                for (const auto& loss :
                     task_losses(model->tasks(), model->forward(batch.image), batch.targets))
                    losses.push_back(loss.item<double>());
                return losses;
            };
            const auto above = loss_at(1 + 1e-5), below = loss_at(1 - 1e-5);
            place.fill_(value);
            for (size_t t = 0; t < above.size(); ++t)
                EXPECT_NEAR((above[t] - below[t]) / 2e-5, value * doubles(gradients[t][i])[element], 1e-6);
        }
}

TEST(DisparseStatic, WeightsDrawnAnewForgetTheScaleOfTheNetworksOwn) {
    const auto masks = [](const std::string& redraw, bool scaled) {
        const auto model = drawn_model();
        if (scaled) {
            const torch::NoGradGuard no_grad;
            torch::Tensor(maskable_weights(*model)[0].parameter).mul_(50);
            torch::Tensor(maskable_weights(*model)[2].parameter).mul_(0.02);
        }
        MaskedRun run(model, "disparse:mode=static,batches=2,density=0.2,redraw=" + redraw, 4);
        run.step(2);
        return run.masks();
    };
    EXPECT_EQ(total(overlaps(masks("true", false), masks("true", true))).iou(), 1.0);
    EXPECT_LT(total(overlaps(masks("false", false), masks("false", true))).iou(), 1.0);
    EXPECT_LT(total(overlaps(masks("false", false), masks("true", false))).iou(), 1.0);
}

TEST(DisparseStatic, LooksWithoutTouchingTheNetwork) {
    for (const auto* mode : {"static", "pretrained"}) {
        const auto plain = drawn_model();
        MaskedRun run(drawn_model(), std::string("disparse:batches=3,density=0.2,mode=") + mode, 6);
        for (int64_t i = 0; i < 3; ++i) {
            EXPECT_EQ(run.masks().count().density(), 1.0);
            EXPECT_FALSE(run.callback->masking().settled(i));
            plain->forward(run.batch().image);
            run.step();
        }
        EXPECT_TRUE(run.callback->masking().settled(3));
        EXPECT_NEAR(run.masks().count().density(), 0.2, 1e-3);
        run.masks().apply(*plain);
        const auto expected = module_state(*plain);
        for (const auto& [name, tensor] : module_state(*run.model))
            EXPECT_TRUE(torch::equal(tensor, expected.at(name))) << mode << ": " << name;
    }
}

TEST(DisparsePretrained, KeepsWhatSlowLoopsKeep) {
    MaskedRun run(drawn_model(), "disparse:mode=pretrained,batches=3,keep=0.25", 4);
    auto scores = summed(3, false);
    for (auto& task : scores)
        for (size_t i = 0; i < task.size(); ++i)
            task[i] = task[i] * run.weights()[i].parameter.detach().square();
    run.step(3);
    expect_masks(run.masks(), kept_by_all(run.weights(), run.model->tasks(), scores, 0.25));
}

/// On the backbone, the union is what the task with the lowest threshold keeps.
TEST(DisparsePretrained, BySizeTheLeastStrictTaskDecides) {
    const auto model = drawn_model();
    const auto weights = maskable_weights(*model);
    std::vector<double> thresholds;
    for (const auto& task : model->tasks()) {
        std::vector<double> sizes;
        for (const size_t i : reached_by(weights, task.name))
            for (const double value : doubles(weights[i].parameter)) sizes.push_back(std::abs(value));
        std::sort(sizes.begin(), sizes.end());
        thresholds.push_back(
            sizes[sizes.size() - static_cast<size_t>(0.3 * static_cast<double>(sizes.size()))]);
    }
    const double lowest = *std::min_element(thresholds.begin(), thresholds.end());
    std::vector<torch::Tensor> expected;
    for (const auto& weight : weights) expected.push_back(weight.parameter.detach().abs().ge(lowest));
    const MaskedRun run(model, "disparse:mode=pretrained,score=magnitude,keep=0.3", 3);
    for (size_t i = 0; i < weights.size(); ++i)
        if (weights[i].task.empty()) {
            EXPECT_TRUE(torch::equal(run.masks().at(weights[i].name), expected[i])) << weights[i].name;
        }
}

TEST(MagnitudeMasks, KeepTheLargestOfAllConvolutions) {
    const auto model = drawn_model();
    std::vector<std::pair<double, size_t>> sizes;
    for (const auto& weight : maskable_weights(*model))
        for (const double value : doubles(weight.parameter))
            sizes.emplace_back(std::abs(value), sizes.size());
    const auto count = static_cast<size_t>(std::llround(0.3 * static_cast<double>(sizes.size())));
    std::vector<double> expected(sizes.size(), 0.0);
    for (const size_t i : last_of(sizes, count)) expected[i] = 1.0;
    MaskedRun run(model, "magnitude:density=0.3", 3);
    std::vector<double> found;
    for (const auto& layer : run.masks().layers())
        for (const double kept : doubles(layer.kept)) found.push_back(kept);
    EXPECT_EQ(found, expected);
}

/// Every entry, and the forms of DiSparse.
std::vector<std::string> all_forms() {
    std::vector<std::string> forms = {"disparse:mode=pretrained,batches=2,density=0.3", quick_dynamic(),
                                      quick_dynamic(",regrow=zero"), quick_dynamic(",gradients=masked")};
    for (const auto& entry : weight_maskings().entries()) {
        Choice choice{entry.key};
        for (const auto& option : entry.options)
            if (option.name == "batches") choice.options["batches"] = 2;
        forms.push_back(choice_text(choice));
    }
    return forms;
}

class EveryMasking : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Forms, EveryMasking, testing::ValuesIn(all_forms()), [](const auto& info) {
    std::string name = info.param;
    for (auto& letter : name)
        if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
    return name;
});

double masked_sum(const torch::Tensor& values, const torch::Tensor& where) {
    return values.masked_select(where).abs().sum().item<double>();
}

/// With everything that belongs to them, under every optimiser.
TEST_P(EveryMasking, SettledMasksStayZero) {
    auto sgd = default_optimizer(OptimizerKind::sgd);
    sgd.weight_decay = 0.1;
    for (const auto& optimizer :
         {default_optimizer(OptimizerKind::adam), default_optimizer(OptimizerKind::adamw), sgd}) {
        MaskedRun run(drawn_model(), weight_maskings().make(GetParam()), 8, optimizer, {.clip_norm = 1.0},
                      /*ema_decay=*/0.9);
        run.step(6);
        if (!run.callback->masking().settled(6)) GTEST_SKIP() << "its masks change until the end";
        const auto masks = run.masks();
        auto before = module_state(*run.model);
        for (auto& [name, tensor] : before) tensor = tensor.clone();
        run.step(2);
        const auto moments = entries_of("optimizer.", run.trainer.state());
        const auto averages = entries_of("average.weights.", run.trainer.state());
        for (const auto& layer : run.masks().layers()) {
            EXPECT_TRUE(torch::equal(layer.kept, masks.at(layer.name))) << layer.name;
            const auto gone = layer.kept.logical_not();
            const auto now = module_state(*run.model).at(layer.name);
            EXPECT_EQ(masked_sum(now, gone), 0.0) << layer.name;
            EXPECT_EQ(masked_sum(averages.at(layer.name), gone), 0.0) << layer.name;
            if (layer.count().kept > 0) {
                EXPECT_FALSE(torch::equal(now, before.at(layer.name))) << layer.name;
            }
            for (const auto& [name, moment] : entries_of(layer.name + ".", moments))
                if (moment.dim() > 0) {
                    EXPECT_EQ(masked_sum(moment, gone), 0.0) << layer.name << "." << name;
                }
        }
    }
}

TEST_P(EveryMasking, GoesOnExactlyAfterACheckpoint) {
    for (const int64_t stop : {1, 4, 6}) {
        MaskedRun whole(drawn_model(), GetParam(), 8), resumed(drawn_model(), GetParam(), 8);
        whole.step(stop);
        TensorMap saved;
        for (const auto& [name, tensor] : whole.trainer.state()) saved[name] = tensor.clone();
        resumed.trainer.load_state(saved);
        whole.step(8 - stop);
        resumed.step(8 - stop);
        const auto expected = whole.trainer.state(), found = resumed.trainer.state();
        ASSERT_EQ(found.size(), expected.size());
        for (const auto& [name, tensor] : expected)
            EXPECT_TRUE(torch::equal(found.at(name), tensor)) << "at " << stop << ": " << name;
    }
}

TEST_P(EveryMasking, TheNetworkIsZeroWhereTheMasksSaySo) {
    MaskedRun run(drawn_model(), GetParam(), 8);
    for (int64_t i = 0; i <= 8; ++i) {
        const auto masks = run.masks();
        ASSERT_EQ(masks.layers().size(), run.weights().size());
        for (const auto& weight : run.weights())
            EXPECT_EQ(masked_sum(weight.parameter.detach(), masks.at(weight.name).logical_not()), 0.0)
                << weight.name << " after " << i;
        if (i < 8) run.step();
    }
}

TEST(WeightMaskings, EveryOneHasASummaryAndRuns) {
    for (const auto& entry : weight_maskings().entries()) {
        EXPECT_FALSE(entry.summary.empty()) << entry.key;
        EXPECT_FALSE(entry.paper.empty()) << entry.key;
    }
    EXPECT_EQ(error_of([] { weight_maskings().make("disparse:density=0"); }),
              "weight masking: density: expected a share in (0, 1], found 0");
    EXPECT_EQ(error_of([] { weight_maskings().make("disparse:mode=static,rate=0.4"); }),
              "weight masking: rate: expected the mode dynamic, found mode static");
    EXPECT_EQ(error_of([] { weight_maskings().make("disparse:mode=dynamic,vote=any"); }),
              "weight masking: vote: expected the mode static, pretrained, found mode dynamic");
    EXPECT_EQ(error_of([] { MaskedRun(drawn_model(), "disparse:batches=5", 5); }),
              "weight masking: batches: expected fewer than the 5 iterations, found 5");
    EXPECT_EQ(error_of([] { weight_maskings().make("magnitude:density=1.5"); }),
              "weight masking: density: expected a share in (0, 1], found 1.5");
}

/// One change of masks of dynamic DiSparse, by loops.
class SlowStep {
  public:
    SlowStep(const MaskedRun& run, std::vector<std::vector<double>> values, bool ties)
        : weights_(run.weights()), tasks_(run.model->tasks()), values_(std::move(values)), ties_(ties) {
        std::vector<std::vector<int64_t>> shapes;
        for (const auto& weight : weights_) shapes.push_back(weight.parameter.sizes().vec());
        densities_ = erk_densities(shapes, 0.3);
        for (const auto& layer : run.masks().layers()) kept.push_back(doubles(layer.kept));
    }

    void drop(double rate) {
        for (size_t i = 0; i < kept.size(); ++i) {
            std::vector<std::pair<double, size_t>> alive;
            for (size_t e = 0; e < kept[i].size(); ++e)
                if (kept[i][e] != 0.0) alive.emplace_back(std::abs(values_[i][e]), e);
            const double wanted = densities_[i] * (1.0 - rate) * static_cast<double>(kept[i].size());
            const auto leaving = std::nearbyint(static_cast<double>(alive.size()) - wanted);
            if (leaving <= 0.0) continue;
            const auto staying = last_of(alive, alive.size() - static_cast<size_t>(leaving));
            std::fill(kept[i].begin(), kept[i].end(), 0.0);
            for (const size_t e : staying) kept[i][e] = 1.0;
            // Within a weight of what was asked for.
            EXPECT_NEAR(static_cast<double>(staying.size()), wanted, 1.0);
        }
    }

    /// `sizes`: per task and weight the summed |g|.
    void grow(const std::vector<std::vector<std::vector<double>>>& sizes) {
        const auto before = kept;
        for (size_t t = 0; t < tasks_.size(); ++t)
            for (size_t i = 0; i < kept.size(); ++i) {
                if (!weights_[i].task.empty() && weights_[i].task != tasks_[t].name) continue;
                std::vector<std::pair<double, size_t>> masked;
                for (size_t e = 0; e < before[i].size(); ++e)
                    if (before[i][e] == 0.0) masked.emplace_back(sizes[t][i][e], e);
                const double alive = static_cast<double>(before[i].size() - masked.size());
                const double lacking = densities_[i] * static_cast<double>(before[i].size()) - alive;
                const auto count = static_cast<size_t>(std::max(0.0, std::floor(lacking + 1e-6)));
                const auto grown = last_of(masked, std::min(count, masked.size()));
                double least = 1e300;
                for (const size_t e : grown) {
                    kept[i][e] = 1.0;
                    least = std::min(least, sizes[t][i][e]);
                }
                if (ties_ && !grown.empty())
                    for (const auto& [score, e] : masked)
                        if (score >= least) kept[i][e] = 1.0;
            }
    }

    std::vector<std::vector<double>> kept;

  private:
    const std::vector<MaskableWeight>& weights_;
    const std::vector<TaskSpec>& tasks_;
    std::vector<std::vector<double>> values_;
    bool ties_;
    std::vector<double> densities_;
};

std::vector<std::vector<double>> values_of(const std::vector<MaskableWeight>& weights) {
    std::vector<std::vector<double>> values;
    for (const auto& weight : weights) values.push_back(doubles(weight.parameter));
    return values;
}

/// |g| of two halves of the mini-batch of a network with these weights, summed.
std::vector<std::vector<std::vector<double>>> gradient_sizes(const TensorMap& state, const TensorMap& others,
                                                             const Batch& batch) {
    std::vector<std::vector<std::vector<double>>> sums;
    for (const int64_t sample : {0, 1}) {
        const auto model = drawn_model();
        load_module_state(*model, state);
        const auto weights = maskable_weights(*model);
        {
            const torch::NoGradGuard no_grad;
            for (const auto& weight : weights)
                if (const auto found = others.find(weight.name); found != others.end())
                    torch::Tensor(weight.parameter).copy_(found->second);
        }
        Batch half{batch.image.narrow(0, sample, 1), {}, {}};
        for (const auto& target : batch.targets)
            half.targets.push_back({target.value.narrow(0, sample, 1), target.mask.narrow(0, sample, 1)});
        const auto gradients = plain_gradients(*model, half);
        sums.resize(gradients.size(), std::vector<std::vector<double>>(weights.size()));
        for (size_t t = 0; t < gradients.size(); ++t)
            for (size_t i = 0; i < weights.size(); ++i) {
                const auto sizes = doubles(gradients[t][i].abs());
                sums[t][i].resize(sizes.size(), 0.0);
                for (size_t e = 0; e < sizes.size(); ++e) sums[t][i][e] += sizes[e];
            }
    }
    return sums;
}

TEST(DisparseDynamic, ChangesMasksAsSlowLoopsDo) {
    constexpr int64_t kIterations = 10, kEnd = 7;
    for (const std::string more : {"", ",regrow=zero", ",gradients=masked", ",ties=keep"}) {
        MaskedRun run(drawn_model(), quick_dynamic(more), kIterations);
        const bool stores = more != ",regrow=zero";
        for (int64_t iteration = 0; iteration < kIterations; ++iteration) {
            const auto state = run.trainer.state();
            SlowStep slow(run, values_of(run.weights()), more == ",ties=keep");
            if (iteration == kEnd) slow.drop(0.0);
            if (iteration < kEnd && iteration % 2 == 0) {
                slow.drop(0.25 * (1.0 + std::cos(M_PI * static_cast<double>(iteration) / kEnd)));
                auto others =
                    more == ",gradients=masked" ? TensorMap() : entries_of("weight_masks.stored.", state);
                auto network = entries_of("model.", state);
                for (auto& [name, tensor] : network) tensor = tensor.clone();
                for (size_t i = 0; i < slow.kept.size(); ++i) {
                    auto& weight = network.at(run.weights()[i].name);
                    weight = weight * torch::tensor(slow.kept[i], torch::kDouble).view(weight.sizes());
                }
                ASSERT_EQ(others.empty(), !stores || more == ",gradients=masked");
                slow.grow(gradient_sizes(network, others, run.batch()));
            }
            run.step();
            expect_masks(run.masks(), slow.kept);
            EXPECT_EQ(run.callback->masking().settled(iteration), iteration > kEnd);
            for (const auto& weight : run.weights())
                EXPECT_EQ(doubles(weight.parameter.detach() * run.masks().at(weight.name)),
                          doubles(weight.parameter));
        }
    }
}

/// Drawn in the densities asked for, and back there in the end.
TEST(DisparseDynamic, BeginsAndEndsWithTheDensitiesOfLayers) {
    MaskedRun run(drawn_model(), quick_dynamic(), 10);
    std::vector<std::vector<int64_t>> shapes;
    for (const auto& weight : run.weights()) shapes.push_back(weight.parameter.sizes().vec());
    const auto densities = erk_densities(shapes, 0.3);
    const auto expect_densities = [&](size_t from) {
        const auto masks = run.masks();
        for (size_t i = from; i < shapes.size(); ++i) {
            const auto count = masks.layers()[i].count();
            EXPECT_NEAR(static_cast<double>(count.kept), densities[i] * static_cast<double>(count.all),
                        0.5 + 1e-9)
                << masks.layers()[i].name;
        }
    };
    EXPECT_EQ(run.masks().layers()[0].count().density(), 1.0) << "the first layer begins dense";
    expect_densities(1);
    run.step(1);
    const auto masks = run.masks();
    int64_t tasks = static_cast<int64_t>(run.model->tasks().size());
    for (size_t i = 0; i < shapes.size(); ++i) {
        const auto count = masks.layers()[i].count();
        const double whole = densities[i] * static_cast<double>(count.all);
        const double most = run.weights()[i].task.empty() ? 0.5 + 0.5 * static_cast<double>(tasks) : 1.0;
        EXPECT_LE(static_cast<double>(count.kept),
                  std::min(most * whole, static_cast<double>(count.all)) + 2.0);
        if (!run.weights()[i].task.empty()) {
            EXPECT_NEAR(static_cast<double>(count.kept), whole, 1.0);
        }
    }
    run.step(9);
    expect_densities(0);
}

/// A weight that comes back has the value that it had, or 0.
TEST(DisparseDynamic, RegrownWeightsResumeWhatIsStored) {
    for (const bool stored : {true, false}) {
        auto still = default_optimizer(OptimizerKind::sgd);
        still.lr = 0.0;
        MaskedRun run(drawn_model(), weight_maskings().make(quick_dynamic(stored ? "" : ",regrow=zero")), 10,
                      still);
        const auto first = values_of(maskable_weights(*drawn_model()));
        int64_t back = 0;
        std::vector<std::vector<double>> before;
        for (const auto& layer : run.masks().layers()) before.push_back(doubles(layer.kept));
        run.step(6);
        const auto values = values_of(run.weights());
        for (size_t i = 0; i < values.size(); ++i) {
            const auto kept = doubles(run.masks().layers()[i].kept);
            for (size_t e = 0; e < kept.size(); ++e) {
                if (kept[e] == 0.0 || before[i][e] != 0.0) continue;
                ++back;
                EXPECT_EQ(values[i][e], stored ? first[i][e] : 0.0);
            }
        }
        EXPECT_GT(back, 5);
    }
}

TEST(DisparseStatic, WorksOverAccumulatedBatchesOfAnIteration) {
    MaskedRun once(drawn_model(), "disparse:mode=static,batches=2,density=0.2", 4);
    once.trainer.step(std::vector<Batch>{MaskedRun::batch_at(0), MaskedRun::batch_at(1)});
    once.trainer.step(std::vector<Batch>{MaskedRun::batch_at(2), MaskedRun::batch_at(3)});
    MaskedRun single(drawn_model(), "disparse:mode=static,batches=4,density=0.2", 6);
    single.step(4);
    EXPECT_EQ(total(overlaps(once.masks(), single.masks())).iou(), 1.0);
}

}  // namespace
}  // namespace mtlprune::disparse_test
