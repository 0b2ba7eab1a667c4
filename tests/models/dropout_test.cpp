#include "models/layers/dropout.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace mtlprune::dropout_test {
namespace {

/// Restores the number of threads at the end of a test.
class Threads {
  public:
    ~Threads() { at::set_num_threads(before_); }

  private:
    int before_ = at::get_num_threads();
};

TEST(Dropout, KeepsTheMeanAndTheShareOfZeros) {
    const auto x = torch::ones({200, 1000});
    for (const double p : {0.1, 0.5, 0.75}) {
        const auto y = keyed_dropout(x, p, 7);
        const double zeros = (y == 0).to(torch::kFloat64).mean().item<double>();
        EXPECT_NEAR(zeros, p, 5 * std::sqrt(p * (1 - p) / 200000));
        EXPECT_NEAR(y.to(torch::kFloat64).mean().item<double>(), 1.0, 5 * std::sqrt(p / (1 - p) / 200000));
    }
}

TEST(Dropout, ScalesWhatItKeeps) {
    const auto x = torch::arange(1, 1001, torch::kFloat64);
    const auto y = keyed_dropout(x, 0.75, 3);
    const auto kept = y != 0;
    EXPECT_GT(kept.sum().item<int64_t>(), 100);
    EXPECT_TRUE(torch::allclose(y.masked_select(kept), 4.0 * x.masked_select(kept)));
}

TEST(Dropout, WithoutProbabilityIsTheIdentity) {
    const auto x = torch::arange(10, torch::kFloat32);
    EXPECT_TRUE(keyed_dropout(x, 0.0, 3).equal(x));
}

TEST(Dropout, ShardsHaveTheRowsOfTheWholeMask) {
    for (const int64_t row : {1, 4, 15}) {
        const auto x = torch::ones({7, row, 3});
        const auto whole = keyed_dropout(x, 0.5, 42);
        for (const int64_t ranks : {2, 3})
            for (int64_t rank = 0; rank < ranks; ++rank) {
                const auto rows = x.slice(0, rank, c10::nullopt, ranks);
                EXPECT_TRUE(keyed_dropout(rows, 0.5, 42, {rank, ranks})
                                .equal(whole.slice(0, rank, c10::nullopt, ranks)))
                    << row << ' ' << rank << " of " << ranks;
            }
    }
}

TEST(Dropout, DependsOnTheKeyAloneUnderAnyNumberOfThreads) {
    const Threads restore;
    const auto x = torch::ones({3, 5, 77, 131});  // not a multiple of the draws, several blocks
    at::set_num_threads(1);
    const auto single = keyed_dropout(x, 0.5, 42);
    at::set_num_threads(2);
    EXPECT_TRUE(keyed_dropout(x, 0.5, 42).equal(single));
    EXPECT_FALSE(keyed_dropout(x, 0.5, 43).equal(single));
}

TEST(Dropout, MasksOfNeighbouringKeysAreUnrelated) {
    const auto x = torch::ones({100000}, torch::kFloat64);
    const auto a = keyed_dropout(x, 0.5, 42) - 1;
    const auto b = keyed_dropout(x, 0.5, 43) - 1;
    EXPECT_NEAR((a * b).mean().item<double>(), 0.0, 5 / std::sqrt(1e5));
    EXPECT_NEAR((a.slice(0, 1) * a.slice(0, 0, -1)).mean().item<double>(), 0.0, 5 / std::sqrt(1e5));
}

TEST(Dropout, GradientPassesThroughTheSameMask) {
    const auto x = torch::ones({1000}, torch::requires_grad());
    const auto y = keyed_dropout(x, 0.5, 1);
    y.sum().backward();
    EXPECT_TRUE(x.grad().equal(y.detach()));
}

TEST(Dropout, DropsTheSameInEveryPrecision) {
    const auto x = torch::ones({1000});
    const auto expected = keyed_dropout(x, 0.5, 1);
    for (const auto type : {torch::kBFloat16, torch::kHalf, torch::kDouble})
        EXPECT_TRUE(keyed_dropout(x.to(type), 0.5, 1).to(torch::kFloat).equal(expected)) << type;
}

}  // namespace
}  // namespace mtlprune::dropout_test
