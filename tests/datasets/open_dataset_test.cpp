#include "datasets/layouts/open_dataset.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/datasets/adashare_folder.h"

namespace mtlprune::open_dataset_test {
namespace {

TEST(OpenDataset, OpensEveryNameOfALayout) {
    const AdaShareFolder folder(4, 4, 5);
    for (const char* name : {"nyuv2_adashare", "nyuv2", "adashare"}) {
        const auto dataset = open_dataset({name, folder.path(), "train", 0, 2});
        EXPECT_EQ(dataset->size(), 2);
        EXPECT_EQ(dataset->tasks(), nyuv2_tasks(40));
        EXPECT_EQ(dataset->id(1), dataset->get(1).id);
    }
    EXPECT_EQ(open_dataset({"nyuv2", folder.path(), "train", 50})->tasks(), nyuv2_tasks(50));
    EXPECT_EQ(open_dataset({"synthetic_rooms", {}, "test", 0, 3})->size(), 3);
}

TEST(OpenDataset, NamesOfLayoutsAreDifferent) {
    const auto names = dataset_layout_names();
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    for (const auto& layout : dataset_layouts()) {
        EXPECT_EQ(dataset_layout(layout.name).name, layout.name);
        EXPECT_FALSE(layout.splits.empty()) << layout.name;
        EXPECT_EQ(layout.description.find('\n'), std::string::npos) << layout.name;
    }
}

TEST(OpenDataset, NamesTheNearestLayoutAndTheMissingFolder) {
    EXPECT_NE(error_of([] {
                  open_dataset({"nyuv3", "x", "train"});
              }).find("did you mean 'nyuv2'?"),
              std::string::npos);
    EXPECT_NE(error_of([] { open_dataset({"celeba", "", "train"}); }).find("celeba=DIR"), std::string::npos);
    for (const auto& layout : dataset_layouts()) {
        if (!layout.needs_folder) continue;
        EXPECT_THROW(open_dataset({layout.name, "/nonexistent", layout.splits[0]}), Error) << layout.name;
    }
}

TEST(ParseDataset, TakesLayoutAndFolderApart) {
    const auto request = parse_dataset("idx=/data/a=b");
    EXPECT_EQ(request.layout, "idx");
    EXPECT_EQ(request.folder, "/data/a=b");
    EXPECT_EQ(parse_dataset("synthetic_rooms").folder, "");
    EXPECT_NE(error_of([] { parse_dataset("idx"); }).find("idx=DIR"), std::string::npos);
    EXPECT_NE(error_of([] { parse_dataset("idx="); }).find("idx=DIR"), std::string::npos);
    EXPECT_NE(error_of([] { parse_dataset("synthetic_rooms=x"); }).find("without a folder"),
              std::string::npos);
    EXPECT_NE(error_of([] { parse_dataset("nyu=x"); }).find("'nyuv2'"), std::string::npos);
}

}  // namespace
}  // namespace mtlprune::open_dataset_test
