#include "datasets/codecs/matlab_v5.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/atomic_file.h"
#include "tests/data_folder.h"
#include "tests/datasets/matlab_files.h"
#include "tests/fuzz/memory_file.h"

namespace mtlprune::matlab_v5_test {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(MatlabV5, ReadsNumbersOfTheNamedVariable) {
    const TemporaryFolder folder;
    for (const bool compressed : {true, false}) {
        const auto path = folder / (compressed ? "small.mat" : "plain.mat");
        add_matlab_doubles(path, "other", {7}, compressed);
        add_matlab_doubles(path, "values", {3, 1, 40}, compressed);
        EXPECT_EQ(read_matlab_integers(path, "values", 1, 40), (std::vector<int64_t>{3, 1, 40}));
        EXPECT_EQ(read_matlab_integers(path, "other", 0, 9), std::vector<int64_t>{7});
    }
}

TEST(MatlabV5, ErrorsNameFileVariableAndPosition) {
    const TemporaryFolder folder;
    const auto path = folder / "numbers.mat";
    add_matlab_doubles(path, "trainNdxs", {1, 2.5, 3});
    const auto read = [&](const std::string& name, int64_t high) {
        return error_of([&] { read_matlab_integers(path, name, 1, high); });
    };
    EXPECT_TRUE(contains(read("trainNdx", 9), "only trainNdxs")) << read("trainNdx", 9);
    EXPECT_TRUE(contains(read("trainNdx", 9), "did you mean 'trainNdxs'"));
    EXPECT_TRUE(contains(read("trainNdxs", 9), "numbers.mat: trainNdxs(2)")) << read("trainNdxs", 9);
    EXPECT_TRUE(contains(read("trainNdxs", 9), "2.5"));
    EXPECT_TRUE(contains(read("trainNdxs.field", 9), "a structure"));
    add_matlab_doubles(path, "large", {1, 11});
    EXPECT_TRUE(contains(read("large", 10), "large(2)"));
    EXPECT_TRUE(contains(error_of([&] { read_matlab_strings(path, "large"); }), "a cell array"));
}

TEST(MatlabV5, OtherFilesAreRefused) {
    const TemporaryFolder folder;
    write_bytes(folder / "text.mat", std::string(500, 'x'));
    write_bytes(folder / "empty.mat", "");
    for (const char* name : {"text.mat", "empty.mat", "missing.mat"})
        EXPECT_TRUE(contains(error_of([&] { read_matlab_integers(folder / name, "x", 0, 1); }), name));
    EXPECT_THROW(read_matlab_integers(folder.path(), "x", 0, 1), Error);
}

TEST(MatlabV5, DamagedFilesAreErrorsOrHarmless) {
    const TemporaryFolder folder;
    const auto path = folder / "small.mat";
    add_matlab_doubles(path, "values", {5, 6, 7, 8, 9});
    const std::string bytes = read_file(path);
    const auto attempt = [&](const std::string& content) {
        const MemoryFile damaged(reinterpret_cast<const uint8_t*>(content.data()), content.size());
        try {
            for (const int64_t value : read_matlab_integers(damaged.path(), "values", 0, 1000))
                EXPECT_LE(value, 1000);
            return true;
        } catch (const Error& error) {
            EXPECT_TRUE(contains(error.what(), damaged.path().string())) << error.what();
            return false;
        }
    };
    EXPECT_TRUE(attempt(bytes));
    for (size_t length = 0; length < bytes.size(); ++length)
        EXPECT_FALSE(attempt(bytes.substr(0, length))) << length;
    for (size_t at = 0; at < bytes.size(); ++at)
        for (const int bit : {0, 3, 7}) {
            std::string flipped = bytes;
            flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
            attempt(flipped);
        }
}

TEST(MatlabV5, ReadsThePublishedFiles) {
    const auto folder = real_data() / "nyuv2";
    if (!std::filesystem::exists(folder / "splits.mat")) GTEST_SKIP() << "no " << folder;
    const auto train = read_matlab_integers(folder / "splits.mat", "trainNdxs", 1, 1449),
               test = read_matlab_integers(folder / "splits.mat", "testNdxs", 1, 1449);
    EXPECT_EQ(train.size(), 795u);
    EXPECT_EQ(test.size(), 654u);
    std::set<int64_t> all(train.begin(), train.end());
    all.insert(test.begin(), test.end());
    EXPECT_EQ(all.size(), 1449u);
    const auto to_40 = read_matlab_integers(folder / "classMapping40.mat", "mapClass", 1, 40);
    const auto names = read_matlab_strings(folder / "classMapping40.mat", "allClassName"),
               coarse = read_matlab_strings(folder / "classMapping40.mat", "className");
    ASSERT_EQ(to_40.size(), 894u);
    ASSERT_EQ(names.size(), 894u);
    ASSERT_EQ(coarse.size(), 40u);
    EXPECT_EQ(coarse[0], "wall");
    // A class that has a coarse class of its name is mapped to it.
    for (size_t i = 0; i < names.size(); ++i)
        for (size_t c = 0; c < coarse.size(); ++c)
            EXPECT_TRUE(names[i] != coarse[c] || to_40[i] == static_cast<int64_t>(c) + 1) << names[i];
    const auto to_13 = read_matlab_integers(folder / "class13Mapping.mat", "classMapping13.labels13", 1, 13);
    EXPECT_EQ(to_13.size(), 40u);
    const auto names_13 = read_matlab_strings(folder / "class13Mapping.mat", "classMapping13.classNames");
    ASSERT_EQ(names_13.size(), 13u);
    EXPECT_EQ(names_13[11], "wall");
    EXPECT_EQ(to_13[0], 12);  // wall
}

}  // namespace
}  // namespace mtlprune::matlab_v5_test
