// Some tasks of a data set.
#include "datasets/pipeline/task_subset.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/toy_dataset.h"

namespace mtlprune::task_subset_test {
namespace {

TEST(TaskSubset, HasTheNamedTasksInTheNamedOrder) {
    const auto toy = std::make_shared<ToyDataset>("train");
    const TaskSubset subset(toy, {"nearness", "objects"});
    ASSERT_EQ(subset.tasks().size(), 2U);
    EXPECT_EQ(subset.tasks()[0], toy->tasks()[2]);
    EXPECT_EQ(subset.tasks()[1], toy->tasks()[0]);
    EXPECT_EQ(subset.size(), toy->size());
    EXPECT_EQ(subset.id(1), toy->id(1));
    const auto labels = subset.get(1).labels;
    ASSERT_EQ(labels.size(), 2U);
    EXPECT_EQ(labels[0].pixels.at<float>(0, 1), ToyDataset::kNearness[1][1]);
    EXPECT_EQ(labels[1].pixels.at<uint8_t>(1, 0), ToyDataset::kObjects[1][3]);
    EXPECT_NE(subset.description().find("nearness and objects"), std::string::npos);
}

TEST(TaskSubset, NamesTheNearestTask) {
    try {
        TaskSubset(std::make_shared<ToyDataset>("train"), {"object"});
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("did you mean 'objects'"), std::string::npos)
            << error.what();
    }
}

}  // namespace
}  // namespace mtlprune::task_subset_test
