#include "training/checkpoint.h"

#include <gtest/gtest.h>
#include <torch/serialize.h>
#include <unistd.h>

#include <fstream>

#include "base/atomic_file.h"
#include "base/error.h"

namespace mtlprune::checkpoint_test {
namespace {

class Checkpoint : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto name = "mtlprune_checkpoint_" + std::to_string(::getpid());
        folder_ = std::filesystem::temp_directory_path() / name;
        std::filesystem::create_directories(folder_);
        path_ = folder_ / "tensors.pt";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string bytes() const { return read_file(path_); }
    void write(const std::string& content) const { std::ofstream(path_, std::ios::binary) << content; }

    std::filesystem::path folder_;
    std::filesystem::path path_;
};

TensorMap example() {
    return {{"weight", torch::arange(24, torch::kFloat32).view({2, 3, 4})},
            {"moment.exp_avg", torch::linspace(0, 1, 5, torch::kFloat64)},
            {"step", torch::tensor(int64_t{123456789012345})},
            {"mask", torch::tensor({true, false, true})},
            {"codes", torch::arange(250, 256).to(torch::kUInt8)},
            {"half", torch::arange(6).to(torch::kBFloat16)},
            {"empty", torch::zeros({0, 3})}};
}

void expect_equal(const TensorMap& found, const TensorMap& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected) {
        ASSERT_TRUE(found.count(name)) << name;
        EXPECT_EQ(found.at(name).scalar_type(), tensor.scalar_type()) << name;
        EXPECT_TRUE(found.at(name).equal(tensor)) << name;
    }
}

/// Reading must either fail with an Error naming the file or give the original content.
bool fails_cleanly(const std::filesystem::path& path, const TensorMap& original) {
    try {
        expect_equal(load_tensors(path), original);
        return false;
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
        return true;
    }
}

TEST_F(Checkpoint, RoundTrip) {
    save_tensors(path_, example());
    expect_equal(load_tensors(path_), example());
    expect_equal(load_pickle(path_), example());
    save_tensors(path_, {});
    EXPECT_TRUE(load_tensors(path_).empty());
}

TEST_F(Checkpoint, ViewsAndGradientsAreStoredAsPlainTensors) {
    const auto base = torch::arange(1000, torch::kFloat32).view({10, 100}).requires_grad_();
    save_tensors(path_, {{"column", base.select(1, 3)}, {"row", base[2]}, {"transposed", base.t()}});
    EXPECT_LT(bytes().size(), 10000U);
    const auto loaded = load_tensors(path_);
    expect_equal(loaded, {{"column", base.select(1, 3)}, {"row", base[2]}, {"transposed", base.t()}});
    EXPECT_FALSE(loaded.at("row").requires_grad());
}

TEST_F(Checkpoint, EqualTensorsGiveEqualFiles) {
    save_tensors(path_, example());
    const auto first = bytes();
    auto again = example();
    again["weight"] =
        torch::arange(24, torch::kFloat64).view({4, 3, 2}).permute({2, 1, 0}).to(torch::kFloat32);
    again["weight"].copy_(example()["weight"]);
    save_tensors(path_, again);
    EXPECT_EQ(bytes(), first);
    const auto shared = torch::ones({4});
    save_tensors(path_, {{"a", shared}, {"b", shared}});
    const auto aliased = bytes();
    save_tensors(path_, {{"a", torch::ones({4})}, {"b", torch::ones({8}).slice(0, 2, 6)}});
    EXPECT_EQ(bytes(), aliased);
}

TEST_F(Checkpoint, TruncatedFilesAreErrors) {
    save_tensors(path_, example());
    const auto whole = bytes();
    for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 150) {
        write(whole.substr(0, size));
        EXPECT_TRUE(fails_cleanly(path_, example())) << size << " of " << whole.size() << " bytes";
    }
    write(whole.substr(0, whole.size() - 1));
    EXPECT_TRUE(fails_cleanly(path_, example()));
}

TEST_F(Checkpoint, DamagedBytesNeverGiveOtherTensors) {
    save_tensors(path_, example());
    const auto whole = bytes();
    int failures = 0;
    int places = 0;
    for (size_t place = 0; place < whole.size(); place += 3, ++places) {
        auto damaged = whole;
        damaged[place] = static_cast<char>(damaged[place] ^ (1 << (place % 8)));
        write(damaged);
        failures += fails_cleanly(path_, example());
    }
    EXPECT_GT(failures, places / 10);  // the rest is padding and dates
}

TEST_F(Checkpoint, AChangedTensorFailsTheChecksum) {
    save_tensors(path_, example());
    const auto checksum = torch::pickle_load([&] {
                              const auto content = bytes();
                              return std::vector<char>(content.begin(), content.end());
                          }())
                              .toGenericDict()
                              .at("sha256")
                              .toTensor();
    c10::Dict<std::string, at::Tensor> forged;
    forged.insert("sha256", checksum);
    for (auto [name, tensor] : example()) forged.insert(name, name == "weight" ? tensor + 1 : tensor);
    const auto content = torch::pickle_save(forged);
    write(std::string(content.begin(), content.end()));
    EXPECT_TRUE(fails_cleanly(path_, example()));
}

TEST_F(Checkpoint, OtherContentIsAnError) {
    EXPECT_THROW(load_tensors(path_), Error);  // absent
    EXPECT_THROW(load_tensors(folder_), Error);
    write("not a tensor file, but long enough to hold an end record");
    EXPECT_THROW(load_pickle(path_), Error);
    const auto list = torch::pickle_save(torch::IValue(std::vector<int64_t>{1, 2}));
    write(std::string(list.begin(), list.end()));
    EXPECT_THROW(load_pickle(path_), Error);
    c10::Dict<std::string, int64_t> numbers;
    numbers.insert("a", 1);
    const auto dictionary = torch::pickle_save(numbers);
    write(std::string(dictionary.begin(), dictionary.end()));
    EXPECT_THROW(load_pickle(path_), Error);
}

TEST_F(Checkpoint, AnyTorchFileLoadsButOnlyOursCountsAsCheckpoint) {
    c10::Dict<std::string, at::Tensor> plain;
    plain.insert("a", torch::ones({3}));
    const auto content = torch::pickle_save(plain);
    write(std::string(content.begin(), content.end()));
    expect_equal(load_pickle(path_), {{"a", torch::ones({3})}});
    EXPECT_THROW(load_tensors(path_), Error);
}

TEST_F(Checkpoint, WhatCannotBeSavedLeavesTheFileAlone) {
    save_tensors(path_, example());
    EXPECT_THROW(save_tensors(path_, {{"sha256", torch::ones({1})}}), Error);
    EXPECT_THROW(save_tensors(path_, {{"undefined", torch::Tensor()}}), Error);
    EXPECT_THROW(save_tensors(folder_ / "no" / "such" / "folder.pt", example()), Error);
    expect_equal(load_tensors(path_), example());
}

}  // namespace
}  // namespace mtlprune::checkpoint_test
