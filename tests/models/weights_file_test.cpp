// Files of weights as PyTorch and others write them (tests/models/state_dicts/make.py).
#include "models/weights/weights_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstring>

#include "base/atomic_file.h"
#include "base/error.h"
#include "models/weights/safetensors.h"
#include "tests/bad_input.h"
#include "tests/temporary_folder.h"

namespace mtlprune::weights_file_test {
namespace {

std::filesystem::path stored(const std::string& name) {
    return std::filesystem::path(MTLPRUNE_SOURCE_DIR) / "tests/models/state_dicts" / name;
}

TensorMap written_by_pytorch() {
    return {{"weight", torch::arange(6, torch::kFloat).view({3, 2})},
            {"bias", torch::tensor({0.5F, 1.5F, 2.5F})},
            {"running", torch::tensor({1e300, -1.0}, torch::kDouble)},
            {"count", torch::tensor(int64_t{7})}};
}

void expect_same(const TensorMap& found, const TensorMap& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected) {
        ASSERT_TRUE(found.contains(name)) << name;
        EXPECT_EQ(found.at(name).scalar_type(), tensor.scalar_type()) << name;
        EXPECT_TRUE(found.at(name).equal(tensor)) << name;
    }
}

std::string message_of(const std::filesystem::path& path) {
    return error_of([&] { read_weights(path); });
}

bool says(const std::string& message, const std::string& part) {
    return message.find(part) != std::string::npos;
}

TEST(WeightsFile, StateDictsOfModulesAreRead) {
    expect_same(read_weights(stored("state_dict.pt")), written_by_pytorch());
}

TEST(WeightsFile, FilesBeforeTheZipFormatAreRead) {
    expect_same(read_weights(stored("before_1_6.pth")), written_by_pytorch());
}

TEST(WeightsFile, CheckpointsGiveTheirStateDict) {
    expect_same(read_weights(stored("checkpoint.pt")), written_by_pytorch());
}

TEST(WeightsFile, ViewsKeepTheirElements) {
    expect_same(read_weights(stored("views.pt")),
                {{"weight", torch::tensor({6.F, 9.F, 7.F, 10.F, 8.F, 11.F}).view({3, 2})},
                 {"bias", torch::tensor({1.F, 2.F, 3.F})}});
}

TEST(WeightsFile, ModulesAndScriptsAreNamedForWhatTheyAre) {
    EXPECT_TRUE(says(message_of(stored("module.pt")), "torch.nn.modules.linear Linear"))
        << message_of(stored("module.pt"));
    EXPECT_TRUE(says(message_of(stored("script.pt")), "TorchScript")) << message_of(stored("script.pt"));
    EXPECT_TRUE(says(message_of(stored("make.py")), "another kind of file")) << message_of(stored("make.py"));
}

/// Every part that is cut off or changed gives one Error that names the file, or the same tensors.
class DamagedWeights : public testing::TestWithParam<const char*> {
  protected:
    void expect_error_or_same(const std::string& bytes) const {
        const auto path = folder_.path() / "damaged";
        write_bytes(path, bytes);
        try {
            const auto found = read_weights(path);
            for (const auto& [name, tensor] : found) EXPECT_TRUE(tensor.defined()) << name;
        } catch (const Error& error) {
            EXPECT_TRUE(says(error.what(), path.string())) << error.what();
        }
    }

    TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Files, DamagedWeights,
                         testing::Values("state_dict.pt", "before_1_6.pth", "checkpoint.pt", "views.pt"),
                         [](const auto& info) {
                             const std::string name = info.param;
                             return name.substr(0, name.find('.'));
                         });

TEST_P(DamagedWeights, GiveErrorsThatNameTheFile) {
    const auto whole = read_file(stored(GetParam()));
    for (size_t size = 0; size < whole.size(); size += 29) expect_error_or_same(whole.substr(0, size));
    for (size_t place = 0; place < whole.size(); place += 5) {
        auto changed = whole;
        changed[place] = static_cast<char>(changed[place] ^ (1 << (place % 8)));
        expect_error_or_same(changed);
    }
}

/// A safetensors file of this table and data.
std::string safetensors(const std::string& table, const std::string& data) {
    const uint64_t length = table.size();
    std::string bytes(sizeof(length), '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    return bytes + table + data;
}

std::string floats(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

TEST(Safetensors, TablesAndBytesAreRead) {
    const auto file = safetensors(
        R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I8","shape":[2],"data_offsets":[16,18]},)"
        R"("a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"e":{"dtype":"F16","shape":[0,3],"data_offsets":[18,18]}})",
        floats({1, 2, 3, 4}) + "\x05\xff");
    ASSERT_TRUE(is_safetensors(file));
    expect_same(read_safetensors(file, "here"), {{"a", torch::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2})},
                                                 {"b", torch::tensor({5, -1}, torch::kChar)},
                                                 {"e", torch::zeros({0, 3}, torch::kHalf)}});
}

std::string safetensors_problem(const std::string& table, const std::string& data) {
    try {
        read_safetensors(safetensors(table, data), "here");
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Safetensors, TablesThatDoNotFitAreErrors) {
    const auto of = [](const std::string& entry, size_t bytes = 8) {
        return safetensors_problem(R"({"a":)" + entry + "}", std::string(bytes, '\0'));
    };
    EXPECT_EQ(of(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "no error");
    EXPECT_TRUE(says(of(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 7), "7 bytes of data"));
    EXPECT_TRUE(says(of(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), "8 bytes"));
    EXPECT_TRUE(says(of(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "here: a"));
    EXPECT_TRUE(says(of(R"({"dtype":"F7","shape":[2],"data_offsets":[0,8]})"), "F7"));
    EXPECT_TRUE(says(of(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "sizes"));
    EXPECT_TRUE(says(of(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})"), "sizes"));
    EXPECT_TRUE(says(of("3"), "data_offsets"));
    EXPECT_TRUE(says(safetensors_problem("{", ""), "JSON"));
    EXPECT_TRUE(says(safetensors_problem("[]", ""), "JSON"));
    std::string longer = safetensors("{}", "");
    longer[0] = '\x7f';
    EXPECT_THROW(read_safetensors(longer, "here"), Error);
}

}  // namespace
}  // namespace mtlprune::weights_file_test
