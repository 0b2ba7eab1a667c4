// Ranks as threads of this program; tests/cli/data_parallel_test.cpp has them as processes.
#include "training/data_parallel/data_parallel.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <thread>

#include "models/model_spec.h"
#include "tests/bad_input.h"
#include "tests/free_port.h"
#include "tests/tiny_models.h"
#include "tests/training/tiny_training.h"

namespace mtlprune::data_parallel_test {
namespace {

using Parallel = std::shared_ptr<DataParallel>;

ProcessLayout layout_of(int64_t rank, int64_t ranks, int64_t port) {
    ProcessLayout layout;
    layout.rank = layout.local_rank = rank;
    layout.ranks = ranks;
    layout.address = "127.0.0.1";
    layout.port = port;
    return layout;
}

/// Runs `work` as so many ranks at the same time. Returns what each threw, "" for nothing.
std::vector<std::string> run_ranks(int64_t ranks, const std::function<void(const Parallel&)>& work) {
    const int64_t port = free_port();
    std::vector<std::string> errors(static_cast<size_t>(ranks));
    std::vector<std::thread> threads;
    for (int64_t rank = 0; rank < ranks; ++rank)
        threads.emplace_back([&, rank] {
            try {
                work(std::make_shared<DataParallel>(layout_of(rank, ranks, port), torch::kCPU));
            } catch (const std::exception& error) {
                errors[static_cast<size_t>(rank)] = error.what();
            }
        });
    for (auto& thread : threads) thread.join();
    return errors;
}

void expect_no_errors(const std::vector<std::string>& errors) {
    for (const auto& error : errors) EXPECT_EQ(error, "");
}

class DataParallelTraining : public testing::Test {
  protected:
    void SetUp() override {
        if (!DataParallel::available()) GTEST_SKIP() << "built without LibTorch's c10d";
    }
};

/// Samples first, first + step, ... of a batch, as many as there are.
Batch part_of(const Batch& batch, int64_t first, int64_t step, double weight = 1.0) {
    const auto take = [&](const torch::Tensor& tensor) {
        return tensor.slice(0, first, c10::nullopt, step).contiguous();
    };
    Batch part{take(batch.image), {}, {}, weight};
    for (const auto& target : batch.targets) part.targets.push_back({take(target.value), take(target.mask)});
    for (auto i = first; i < batch.size(); i += step)
        part.indices.push_back(batch.indices[static_cast<size_t>(i)]);
    return part;
}

/// Four images, every pixel valid.
Batch large_batch(uint64_t key) {
    return joined(random_batch(2 * key, 8, torch::kDouble), random_batch(2 * key + 1, 8, torch::kDouble));
}

TrainerOptions options_of(OptimizerKind kind, const UpdateOptions& update) {
    TrainerOptions options;
    options.optimizer = default_optimizer(kind);
    options.optimizer.lr = kind == OptimizerKind::sgd ? 0.05 : 0.002;
    options.update = update;
    return options;
}

constexpr uint64_t kSteps = 5;

/// The network and the losses of every step, as one process trains it.
TensorMap trained_alone(const TrainerOptions& options, double dropout = 0.0) {
    const auto model = tiny_model(dropout, torch::kDouble);
    Trainer trainer(model, options);
    TensorMap result;
    for (uint64_t i = 0; i < kSteps; ++i)
        result["losses " + std::to_string(i)] = trainer.step(large_batch(i)).clone();
    result.merge(copied(module_state(*model)));
    return result;
}

/// The same of each of several ranks.
std::vector<TensorMap> trained_by(int64_t ranks, const TrainerOptions& options, double dropout = 0.0) {
    std::vector<TensorMap> results(static_cast<size_t>(ranks));
    expect_no_errors(run_ranks(ranks, [&](const Parallel& parallel) {
        auto mine = options;
        mine.parallel = parallel;
        const auto model = tiny_model(dropout, torch::kDouble);
        Trainer trainer(model, mine);
        auto& result = results[static_cast<size_t>(parallel->rank())];
        for (uint64_t i = 0; i < kSteps; ++i)
            result["losses " + std::to_string(i)] =
                trainer.step(part_of(large_batch(i), parallel->rank(), ranks)).clone();
        result.merge(copied(module_state(*model)));
    }));
    return results;
}

void expect_close(const TensorMap& found, const TensorMap& expected, const std::string& what) {
    ASSERT_EQ(found.size(), expected.size()) << what;
    for (const auto& [name, tensor] : expected)
        EXPECT_TRUE(torch::allclose(found.at(name), tensor, 1e-9, 1e-12)) << what << ' ' << name;
}

void expect_equal_bits(const TensorMap& found, const TensorMap& expected, const std::string& what) {
    ASSERT_EQ(found.size(), expected.size()) << what;
    for (const auto& [name, tensor] : expected)
        EXPECT_TRUE(found.at(name).equal(tensor)) << what << ' ' << name;
}

TEST_F(DataParallelTraining, SumsAndBroadcastsTensorsOfAllTypesAndSizes) {
    constexpr int64_t kLarge = 7 << 20;  // more than a bucket
    expect_no_errors(run_ranks(3, [](const Parallel& parallel) {
        const auto rank = static_cast<double>(parallel->rank());
        const auto own = torch::full({2, 3}, rank + 1.0);
        std::vector<torch::Tensor> tensors = {own, torch::full({4}, 10.0 * rank, torch::kDouble),
                                              torch::full({kLarge}, 0.25 * rank), torch::tensor(int64_t{7}),
                                              torch::empty({0})};
        parallel->sum(tensors);
        EXPECT_TRUE(tensors[0].equal(torch::full({2, 3}, 6.0)));
        EXPECT_TRUE(own.equal(torch::full({2, 3}, rank + 1.0))) << "it is the caller's";
        EXPECT_TRUE(tensors[1].equal(torch::full({4}, 30.0, torch::kDouble)));
        EXPECT_TRUE(tensors[2].equal(torch::full({kLarge}, 0.75)));
        EXPECT_EQ(tensors[3].item<int64_t>(), 21);
        const auto values = torch::full({2, 2}, rank).t();
        parallel->broadcast({values, torch::tensor(true)});
        EXPECT_TRUE(values.equal(torch::zeros({2, 2})));
        EXPECT_EQ(parallel->of_first(parallel->rank() + 40), 40);
        parallel->barrier();
    }));
}

TEST_F(DataParallelTraining, TwoRanksTrainLikeOneProcessWithTheLargeBatch) {
    for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adam}) {
        const auto options = options_of(kind, {});
        const auto ranks = trained_by(2, options);
        expect_equal_bits(ranks[1], ranks[0], "rank 1");
        expect_close(ranks[0], trained_alone(options), "two ranks");
    }
}

TEST_F(DataParallelTraining, FourRanksWeightingsAndClippingToo) {
    for (const char* weighting : {"fixed:weights=[0.5,2,3]", "uncertainty", "gradnorm", "pcgrad"}) {
        const auto options = options_of(OptimizerKind::sgd, {.clip_norm = 0.05, .task_weighting = weighting});
        const auto ranks = trained_by(4, options);
        for (const auto& rank : ranks) expect_equal_bits(rank, ranks[0], weighting);
        expect_close(ranks[0], trained_alone(options), weighting);
    }
}

TEST_F(DataParallelTraining, AccumulationIsWithinRanks) {
    const auto batch = large_batch(1);
    const auto whole = tiny_model(0.0, torch::kDouble);
    const auto options = options_of(OptimizerKind::sgd, {});
    const auto expected = Trainer(whole, options).take_gradients(batch);
    expect_no_errors(run_ranks(2, [&](const Parallel& parallel) {
        auto mine = options;
        mine.parallel = parallel;
        const auto model = tiny_model(0.0, torch::kDouble);
        const auto half = part_of(batch, parallel->rank(), 2);
        const auto losses = Trainer(model, mine).take_gradients({part_of(half, 0, 2), part_of(half, 1, 2)});
        EXPECT_TRUE(torch::allclose(losses, expected, 1e-12, 1e-14));
        for (size_t i = 0; i < model->parameters().size(); ++i)
            EXPECT_TRUE(
                torch::allclose(model->parameters()[i].grad(), whole->parameters()[i].grad(), 1e-10, 1e-13));
    }));
}

/// Three ranks have 2, 1 and 0 of three images.
TEST_F(DataParallelTraining, PartsWeighWhatTheyHold) {
    const auto batch = part_of(large_batch(1), 1, 1);
    const auto whole = tiny_model(0.0, torch::kDouble);
    const auto options = options_of(OptimizerKind::sgd, {});
    const auto expected = Trainer(whole, options).take_gradients(batch);
    ASSERT_EQ(batch.size(), 3);
    const std::vector<Batch> parts = {part_of(batch, 0, 2, 2.0), part_of(batch, 1, 2, 1.0),
                                      part_of(batch, 0, 3, 0.0)};
    expect_no_errors(run_ranks(3, [&](const Parallel& parallel) {
        auto mine = options;
        mine.parallel = parallel;
        const auto model = tiny_model(0.0, torch::kDouble);
        const auto losses = Trainer(model, mine).take_gradients(parts[static_cast<size_t>(parallel->rank())]);
        EXPECT_TRUE(torch::allclose(losses, expected, 1e-12, 1e-14));
        for (size_t i = 0; i < model->parameters().size(); ++i)
            EXPECT_TRUE(
                torch::allclose(model->parameters()[i].grad(), whole->parameters()[i].grad(), 1e-10, 1e-13));
    }));
}

/// As with PyTorch's DistributedDataParallel: statistics are of a rank's own images, and what is kept of them
/// is the first rank's.
TEST_F(DataParallelTraining, BatchNormsKeepTheFirstRanksStatistics) {
    const std::string spec = "vgg16:channels=[4,5],pools=1,batch_norm=true/smallaspp:hidden=6,dropout=0";
    const auto make = [&] {
        auto model = make_model(parse_model_spec(spec, "test"), nyuv2_tasks(5));
        model->initialise(3);
        model->train();
        return model;
    };
    const auto batch = joined(random_batch(1, 8), random_batch(2, 8));
    const auto alone = make();
    Trainer(alone, options_of(OptimizerKind::sgd, {})).take_gradients(part_of(batch, 0, 2));
    std::vector<TensorMap> states(2);
    expect_no_errors(run_ranks(2, [&](const Parallel& parallel) {
        auto options = options_of(OptimizerKind::sgd, {});
        options.parallel = parallel;
        const auto model = make();
        Trainer(model, options).step(part_of(batch, parallel->rank(), 2));
        states[static_cast<size_t>(parallel->rank())] = copied(module_state(*model));
    }));
    expect_equal_bits(states[1], states[0], "rank 1");
    int statistics = 0;
    for (const auto& item : alone->named_buffers()) {
        EXPECT_TRUE(states[0].at(item.key()).equal(item.value())) << item.key();
        statistics += item.key().find("running_mean") != std::string::npos;
    }
    EXPECT_GT(statistics, 0);
}

TEST_F(DataParallelTraining, DropoutMasksAreThoseOfTheLargeBatch) {
    const auto options = options_of(OptimizerKind::sgd, {});
    const auto ranks = trained_by(2, options, 0.4);
    expect_equal_bits(ranks[1], ranks[0], "rank 1");
    const auto alone = trained_alone(options, 0.4);
    expect_close(ranks[0], alone, "two ranks");
    EXPECT_FALSE(alone.at("losses 0").equal(trained_alone(options).at("losses 0"))) << "no masks";
}

TEST_F(DataParallelTraining, RunStartsFromTheFirstRanksNetwork) {
    std::vector<TensorMap> states(2);
    expect_no_errors(run_ranks(2, [&](const Parallel& parallel) {
        auto options = options_of(OptimizerKind::sgd, {});
        options.parallel = parallel;
        options.iterations = 1;
        const auto model = tiny_model();
        model->initialise(static_cast<uint64_t>(parallel->rank()));
        Trainer trainer(model, options);
        trainer.run(tiny_batches(parallel->rank()));
        states[static_cast<size_t>(parallel->rank())] = copied(module_state(*model));
    }));
    expect_equal_bits(states[1], states[0], "rank 1");
}

TEST_F(DataParallelTraining, ARankThatEndsIsOneClearErrorOfTheOthers) {
    const auto errors = run_ranks(2, [](const Parallel& parallel) {
        parallel->barrier();
        if (parallel->rank() == 1) throw Error("image", "frame 7", "an image", "none");
        parallel->barrier();
    });
    EXPECT_EQ(errors[1], "image: frame 7: expected an image, found none");
    EXPECT_EQ(errors[0].find("data-parallel training: rank 0 of 2: expected an answer of every rank, found"),
              0u)
        << errors[0];
    EXPECT_EQ(errors[0].find('\n'), std::string::npos) << errors[0];
}

TEST_F(DataParallelTraining, ValuesThatMustAgreeAreNamed) {
    const auto errors = run_ranks(2, [](const Parallel& parallel) {
        parallel->require_equal("the iteration", 7);
        parallel->require_equal("the iteration", 7 + parallel->rank());
    });
    EXPECT_EQ(errors[0], "");
    EXPECT_EQ(errors[1],
              "data-parallel training: rank 1 of 2: expected the iteration of the first rank, 7, found 8");
}

TEST(DataParallelRefusal, ABuildWithoutC10dSaysWhatIsNeeded) {
    if (DataParallel::available()) GTEST_SKIP() << "built with LibTorch's c10d";
    const auto text = error_of([] { DataParallel(layout_of(1, 2, 29500), torch::kCPU); });
    EXPECT_EQ(text.find("data-parallel training: rank 1 of 2: expected a LibTorch with c10d"), 0u) << text;
    EXPECT_NE(text.find("./setup.sh --torch wheel"), std::string::npos) << text;
    EXPECT_NE(text.find("found a build with LibTorch"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

}  // namespace
}  // namespace mtlprune::data_parallel_test
