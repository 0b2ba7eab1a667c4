#include "pruning/evidence/weight_sums.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mtlprune::weight_sums_test {
namespace {

/// Up to 1024 terms are added in single precision, one after the other where the compiler does not vectorise:
/// their sum is typically off by sqrt(1024) 2^-24 = 1.9e-6 of itself. Twice that.
constexpr double kTolerance = 4e-6;

torch::Tensor random_weight(std::vector<int64_t> shape, uint64_t key = 5) {
    return torch::empty(shape).normal_(0.0, 1.0, at::detail::createCPUGenerator(key));
}

constexpr Summand kSummands[] = {Summand::absolute, Summand::square, Summand::value};

double summand(double x, Summand kind) {
    return kind == Summand::absolute ? std::fabs(x) : kind == Summand::square ? x * x : x;
}

/// Element by element, in double precision; with `is_size` sums of the summands' absolute values.
std::vector<double> expected_sums(const torch::Tensor& x, int64_t dim, Summand kind, bool is_size = false) {
    const auto elements = x.to(torch::kFloat64).transpose(0, dim).contiguous();
    std::vector<double> sums(elements.size(0));
    const int64_t length = elements.numel() / elements.size(0);
    for (int64_t i = 0; i < elements.numel(); ++i) {
        const double value = summand(elements.data_ptr<double>()[i], kind);
        sums[i / length] += is_size ? std::fabs(value) : value;
    }
    return sums;
}

void expect_near(const std::vector<double>& sums, const torch::Tensor& x, int64_t dim, Summand kind,
                 double tolerance) {
    const auto expected = expected_sums(x, dim, kind), sizes = expected_sums(x, dim, kind, true);
    ASSERT_EQ(sums.size(), expected.size());
    for (size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(sums[i], expected[i], tolerance * sizes[i]) << i;
}

/// Of the weight alone, and of its products with a gradient of another layout.
void expect_sums(const torch::Tensor& weight, double tolerance) {
    const auto w = weight.detach();
    const auto gradient = random_weight(w.sizes().vec(), 6).transpose(0, -1).contiguous().transpose(0, -1);
    const auto products = w.to(torch::kFloat64) * gradient.to(torch::kFloat64);
    for (const auto kind : kSummands) {
        const auto plain = weight_sums({weight}, kind), with = weight_sums({weight}, kind, {gradient});
        expect_near(plain.at(0).rows, w, 0, kind, tolerance);
        expect_near(with.at(0).rows, products, 0, kind, tolerance);
        if (w.dim() < 2) continue;
        expect_near(plain[0].columns, w, 1, kind, tolerance);
        expect_near(with[0].columns, products, 1, kind, tolerance);
    }
}

TEST(WeightSums, ByHand) {
    const auto sums =
        weight_sums({torch::tensor({1.0F, -2.0F, 3.0F, 4.0F, 5.0F, -6.0F}).view({2, 3})}, Summand::square);
    EXPECT_EQ(sums[0].rows, (std::vector<double>{14, 77}));
    EXPECT_EQ(sums[0].columns, (std::vector<double>{17, 29, 45}));
}

TEST(WeightSums, OfProductsByHand) {
    const auto w = torch::tensor({1.0F, -2.0F, 3.0F, 4.0F, 5.0F, -6.0F}).view({2, 3});
    const auto g = torch::tensor({2.0F, 1.0F, -1.0F, 0.0F, 1.0F, 2.0F}).view({2, 3});
    const auto values = weight_sums({w}, Summand::value, {g})[0];
    EXPECT_EQ(values.rows, (std::vector<double>{-3, -7}));
    EXPECT_EQ(values.columns, (std::vector<double>{2, 3, -15}));
    EXPECT_EQ(weight_sums({w}, Summand::absolute, {g})[0].rows, (std::vector<double>{7, 17}));
}

TEST(WeightSums, OfAllShapesAreExactToRounding) {
    // Rows that are no multiple of 4 or 64, columns beyond one block, kernels of 1 to 3 dimensions, one of
    // each.
    const std::vector<std::vector<int64_t>> shapes = {
        {1, 1},    {5, 7},          {131, 1500}, {66, 3, 3, 3}, {70, 130, 3, 3},
        {9, 4, 5}, {6, 5, 2, 3, 2}, {600, 1100}, {3, 1, 7, 7},  {2, 2049, 1, 1}};
    for (const auto& shape : shapes) expect_sums(random_weight(shape), kTolerance);
}

TEST(WeightSums, DoNotDependOnTheLayoutInMemory) {
    expect_sums(random_weight({70, 130, 3, 3}).contiguous(torch::MemoryFormat::ChannelsLast), kTolerance);
    expect_sums(random_weight({8, 6, 2, 3, 4}).contiguous(torch::MemoryFormat::ChannelsLast3d), kTolerance);
    expect_sums(random_weight({40, 30}).t(), kTolerance);
    expect_sums(random_weight({40, 30, 3, 3}).slice(1, 2, 30, 3), kTolerance);
}

TEST(WeightSums, OfOtherTypesAndVectors) {
    expect_sums(random_weight({12, 7, 3, 3}).to(torch::kFloat64), 1e-14);
    expect_sums(random_weight({12, 7, 3, 3}).to(torch::kBFloat16), 2e-2);
    expect_sums(random_weight({33}), kTolerance);
    expect_sums(random_weight({33}).requires_grad_(true), kTolerance);
}

TEST(WeightSums, KeepSmallWeightsBesideLargeOnes) {
    // In single precision throughout, the million small ones would be lost after the large one.
    auto weight = torch::full({1, 1 << 20}, 1e-3F);
    weight[0][0] = 1e3F;
    EXPECT_NEAR(weight_sums({weight}, Summand::absolute)[0].rows[0], 1e3 + 1e-3 * ((1 << 20) - 1), 0.1);
}

TEST(WeightSums, AreTheSameWithAnyNumberOfThreads) {
    const std::vector<torch::Tensor> weights = {random_weight({700, 1025}), random_weight({3, 2}),
                                                random_weight({130, 64, 3, 3}, 6)};
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const auto one = weight_sums(weights, Summand::square);
    at::set_num_threads(3);
    const auto three = weight_sums(weights, Summand::square);
    at::set_num_threads(threads);
    for (size_t i = 0; i < weights.size(); ++i) {
        EXPECT_EQ(one[i].rows, three[i].rows);
        EXPECT_EQ(one[i].columns, three[i].columns);
    }
}

TEST(WeightSums, PassNanOnInItsRowAndColumnAlone) {
    auto weight = torch::ones({6, 5});
    weight[4][2] = std::numeric_limits<float>::quiet_NaN();
    const auto sums = weight_sums({weight}, Summand::absolute)[0];
    for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(sums.rows[i]), i == 4);
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(std::isnan(sums.columns[i]), i == 2);
}

TEST(WeightSums, AlongAnyDimension) {
    const auto weight = random_weight({4, 3, 6});
    for (int64_t dim = 0; dim < 3; ++dim)
        expect_near(weight_sums_along(weight, dim, Summand::square), weight, dim, Summand::square,
                    kTolerance);
}

TEST(WeightSums, OfNothing) {
    EXPECT_TRUE(weight_sums({}, Summand::value).empty());
    const auto sums = weight_sums({torch::empty({0, 3})}, Summand::value);
    EXPECT_TRUE(sums[0].rows.empty());
    EXPECT_EQ(sums[0].columns, (std::vector<double>{0, 0, 0}));
}

}  // namespace
}  // namespace mtlprune::weight_sums_test
