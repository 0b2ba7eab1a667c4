#include "pruning/surgery/gather.h"

#include <gtest/gtest.h>

#include "tests/pruning/toy_networks.h"

namespace mtlprune::gather_test {
namespace {

/// Every third index, every other one, all but one in the middle: short runs, long runs, uneven ends.
std::vector<std::vector<int64_t>> choices(int64_t size) {
    std::vector<std::vector<int64_t>> result(3);
    for (int64_t i = 0; i < size; ++i) {
        if (i % 3 == 0) result[0].push_back(i);
        if (i % 2 == 1) result[1].push_back(i);
        if (i != size / 2) result[2].push_back(i);
    }
    return result;
}

torch::Tensor selected(torch::Tensor tensor, const std::vector<KeptIndices>& kept) {
    for (const auto& [dim, indices] : kept)
        tensor = tensor.index_select(dim, torch::tensor(indices, torch::kInt64));
    return tensor;
}

void expect_selected(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    const auto found = gather(tensor, kept);
    EXPECT_TRUE(torch::equal(found, selected(tensor, kept))) << tensor.sizes() << tensor.dtype();
    EXPECT_EQ(found.suggest_memory_format(), tensor.suggest_memory_format());
}

TEST(Gather, EqualsOneSelectionAfterTheOther) {
    const std::vector<std::vector<int64_t>> shapes = {
        {7}, {64, 33}, {20, 48, 1, 1}, {40, 33, 3, 3}, {6, 5, 4, 3}};
    for (const auto type : {torch::kFloat32, torch::kFloat64, torch::kInt64, torch::kFloat16, torch::kUInt8})
        for (const auto& shape : shapes) {
            const auto tensor = (toy::uniform(shape, 1) * 100).to(type);
            for (const auto& first : choices(shape[0])) {
                expect_selected(tensor, {{0, first}});
                if (shape.size() == 1) continue;
                for (const auto& second : choices(shape[1])) {
                    expect_selected(tensor, {{1, second}});
                    expect_selected(tensor, {{0, first}, {1, second}});
                }
            }
        }
}

TEST(Gather, KeepsOtherMemoryLayouts) {
    const auto tensor = toy::uniform({8, 6, 5, 4}, 2).contiguous(torch::MemoryFormat::ChannelsLast);
    expect_selected(tensor, {{0, {1, 2, 5}}, {1, {0, 3}}});
    const auto transposed = toy::uniform({6, 8}, 3).t();
    EXPECT_TRUE(torch::equal(gather(transposed, {{0, {0, 7}}}), selected(transposed, {{0, {0, 7}}})));
}

}  // namespace
}  // namespace mtlprune::gather_test
