#include "reproduce/stages/stage_folder.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "tests/temporary_folder.h"

namespace mtlprune::stage_folder_test {
namespace {

namespace fs = std::filesystem;

const nlohmann::json kConfig = {{"stage", "dense"}, {"lr", 0.1}};

template <typename Action>
std::string message_of(const Action& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(StageFolder, IsCreatedWithItsConfigurationAndIsDoneOnlyWhenFinished) {
    const TemporaryFolder folder;
    const auto path = folder / "runs" / "dense_1" / "seed_0";
    EXPECT_FALSE(StageFolder::done(path));
    StageFolder stage(path, kConfig);
    EXPECT_EQ(nlohmann::json::parse(read_file(path / "config.json")), kConfig);
    EXPECT_FALSE(stage.load_checkpoint().has_value());
    stage.write("results.csv", "a,b\n");
    stage.save_checkpoint({{"x", torch::arange(3)}});
    EXPECT_FALSE(StageFolder::done(path));
    stage.finish();
    EXPECT_TRUE(StageFolder::done(path));
    EXPECT_EQ(read_file(path / "results.csv"), "a,b\n");
}

TEST(StageFolder, CheckpointSurvivesAnotherOpening) {
    const TemporaryFolder folder;
    const auto values = torch::tensor({1.5, -2.0}, torch::kDouble);
    StageFolder(folder / "seed_0", kConfig).save_checkpoint({{"x", values}});
    const auto loaded = StageFolder(folder / "seed_0", kConfig).load_checkpoint();
    ASSERT_TRUE(loaded.has_value());
    EXPECT_TRUE(loaded->at("x").equal(values));
}

TEST(StageFolder, AReaderSeesTheCheckpointOfALockedFolderAndWritesNothing) {
    const TemporaryFolder folder;
    StageFolder writer(folder / "seed_0", kConfig);
    writer.save_checkpoint({{"x", torch::arange(3)}});
    auto reader = StageFolder::reader(folder / "seed_0");
    EXPECT_TRUE(reader.load_checkpoint().value().at("x").equal(torch::arange(3)));
    EXPECT_THROW(reader.save_checkpoint({}), std::logic_error);
    EXPECT_THROW(reader.write("plan.json", ""), std::logic_error);
    EXPECT_THROW(reader.finish(), std::logic_error);
    EXPECT_FALSE(StageFolder::done(folder / "seed_0"));
}

TEST(StageFolder, IsLockedWhileOpen) {
    const TemporaryFolder folder;
    const auto path = folder / "seed_0";
    {
        const StageFolder first(path, kConfig);
        const auto message = message_of([&] { StageFolder second(path, kConfig); });
        EXPECT_NE(message.find(path.string()), std::string::npos) << message;
        EXPECT_NE(message.find("another process"), std::string::npos) << message;
    }
    EXPECT_NO_THROW(StageFolder(path, kConfig));
}

TEST(StageFolder, RefusesAnotherConfigurationAndLetsTheLockGo) {
    const TemporaryFolder folder;
    const auto path = folder / "seed_0";
    StageFolder(path, kConfig).write("results.csv", "kept");
    const auto message = message_of([&] { StageFolder other(path, {{"stage", "prune"}}); });
    EXPECT_NE(message.find((path / "config.json").string()), std::string::npos) << message;
    EXPECT_NO_THROW(StageFolder(path, kConfig));
    EXPECT_EQ(read_file(path / "results.csv"), "kept");
}

TEST(StageFolder, DamagedCheckpointIsAnErrorThatNamesTheFile) {
    const TemporaryFolder folder;
    const auto file = folder / "seed_0" / "checkpoint.pt";
    StageFolder stage(folder / "seed_0", kConfig);
    stage.save_checkpoint({{"x", torch::arange(1000)}});
    const auto whole = read_file(file);
    auto flipped = whole;
    flipped[whole.size() / 2] ^= 1;
    for (const auto& damaged :
         {whole.substr(0, whole.size() / 2), flipped, std::string(), std::string("text")}) {
        write_file_atomically(file, damaged);
        const auto message = message_of([&] { stage.load_checkpoint(); });
        EXPECT_NE(message.find(file.string()), std::string::npos) << damaged.size() << " bytes: " << message;
    }
}

TEST(StageFolder, RemovesWhatKilledWritesLeft) {
    const TemporaryFolder folder;
    const auto path = folder / "seed_0";
    fs::create_directories(path);
    for (const char* name : {"checkpoint.pt.tmp4242", "DONE.tmp7", "checkpoint.pt", "results.csv"})
        write_file_atomically(path / name, "x");
    const StageFolder stage(path, kConfig);
    EXPECT_FALSE(fs::exists(path / "checkpoint.pt.tmp4242"));
    EXPECT_FALSE(fs::exists(path / "DONE.tmp7"));
    EXPECT_TRUE(fs::exists(path / "checkpoint.pt"));
    EXPECT_TRUE(fs::exists(path / "results.csv"));
    EXPECT_FALSE(StageFolder::done(path));
}

TEST(StageFolder, TextAndPrefixesGoThereAndBack) {
    const std::string text("1,2\n\0end", 8);
    EXPECT_EQ(tensor_text(text_tensor(text)), text);
    EXPECT_EQ(tensor_text(text_tensor("")), "");
    TensorMap all = with_prefix("a.", {{"x", torch::ones(1)}, {"y", torch::ones(2)}});
    all["ab"] = torch::ones(3);
    all["b.x"] = torch::ones(4);
    const auto some = entries_of("a.", all);
    ASSERT_EQ(some.size(), 2u);
    EXPECT_EQ(some.at("x").numel(), 1);
    EXPECT_EQ(some.at("y").numel(), 2);
}

}  // namespace
}  // namespace mtlprune::stage_folder_test
