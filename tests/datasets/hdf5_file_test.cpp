#include "datasets/codecs/hdf5/hdf5_file.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>

#include "base/atomic_file.h"
#include "tests/datasets/matlab_files.h"

namespace mtlprune::hdf5_file_test {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Hdf5File, WritesAndReadsArraysAndText) {
    const TemporaryFolder folder;
    const std::vector<uint32_t> numbers = {1, 2, 3, 4, 5, 6};
    {
        auto file = Hdf5File::create(folder / "a.h5");
        file.add("group/numbers", Hdf5Type::uint32, {2, 3}).write({0, 0}, {2, 3}, numbers.data());
        file.add("empty", Hdf5Type::uint8, {0});
        file.set_text_attribute("format", "something");
        file.close();
    }
    const auto file = Hdf5File::open(folder / "a.h5");
    EXPECT_TRUE(file.has("group/numbers"));
    EXPECT_FALSE(file.has("group/other"));
    EXPECT_FALSE(file.has("no/group"));
    const auto array = file.dataset("group/numbers");
    EXPECT_EQ(array.type(), Hdf5Type::uint32);
    EXPECT_EQ(array.shape(), (std::vector<int64_t>{2, 3}));
    std::vector<uint32_t> part(2);
    array.read({1, 1}, {1, 2}, part.data());
    EXPECT_EQ(part, (std::vector<uint32_t>{5, 6}));
    ASSERT_TRUE(array.file_offset());
    uint32_t there = 0;
    std::memcpy(&there, read_file(folder / "a.h5").data() + *array.file_offset() + 8, 4);
    EXPECT_EQ(there, 3u);
    EXPECT_TRUE(file.dataset("empty").read_all().empty());
    EXPECT_EQ(file.text_attribute("format"), "something");
    EXPECT_TRUE(contains(error_of([&] { file.text_attribute("other"); }), "other"));
    EXPECT_TRUE(contains(error_of([&] { file.dataset("other"); }), "/other"));
    const auto message = error_of([&] { array.require(Hdf5Type::uint8, {-1, 3}); });
    EXPECT_TRUE(contains(message, "uint8 [-1, 3]") && contains(message, "uint32 [2, 3]")) << message;
}

TEST(Hdf5File, HoldsNoTimeOfWriting) {
    const TemporaryFolder folder;
    {
        auto file = Hdf5File::create(folder / "a.h5");
        file.add("outer/inner/numbers", Hdf5Type::uint8, {1});
        file.close();
    }
    const hid_t file = H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    for (const char* name : {"/", "outer", "outer/inner", "outer/inner/numbers"}) {
        H5O_info_t info = {};
        ASSERT_GE(H5Oget_info_by_name2(file, name, &info, H5O_INFO_TIME, H5P_DEFAULT), 0) << name;
        EXPECT_EQ(info.ctime, 0) << name;
    }
    H5Fclose(file);
}

/// Chunks that are unpacked here give what the library gives.
TEST(Hdf5File, ReadsAnyBoxOfChunks) {
    const TemporaryFolder folder;
    MatFixture fixture;
    std::vector<std::vector<float>> results;
    for (const bool compressed : {true, false}) {
        fixture.compressed = compressed;
        fixture.write(folder / "a.mat");
        const auto file = Hdf5File::open(folder / "a.mat");
        const auto depths = file.dataset("depths");
        EXPECT_EQ(depths.file_offset().has_value(), !compressed);
        auto& all = results.emplace_back();
        Random random(4);
        for (int i = 0; i < 50; ++i) {
            std::vector<int64_t> start, count;
            int64_t elements = 1;
            for (const int64_t size : depths.shape()) {
                start.push_back(static_cast<int64_t>(random.below(size)));
                count.push_back(1 + static_cast<int64_t>(random.below(size - start.back())));
                elements *= count.back();
            }
            std::vector<float> values(elements);
            depths.read(start, count, values.data());
            all.insert(all.end(), values.begin(), values.end());
        }
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(Hdf5File::open(folder / "a.mat").read_cell_strings("names").at(2), "class03");
    EXPECT_THROW(Hdf5File::open(folder / "a.mat").read_cell_strings("images"), Error);
}

TEST(Hdf5File, OtherFilesAreNamed) {
    const TemporaryFolder folder;
    write_bytes(folder / "text.h5", "no HDF5 at all");
    write_bytes(folder / "empty.h5", "");
    std::filesystem::create_symlink("loop.h5", folder / "loop.h5");
    for (const char* name : {"text.h5", "empty.h5", "missing.h5", "loop.h5"})
        EXPECT_TRUE(contains(error_of([&] { Hdf5File::open(folder / name); }), name)) << name;
    EXPECT_THROW(Hdf5File::open(folder.path()), Error);
    EXPECT_TRUE(contains(error_of([&] { Hdf5File::create(folder / "no" / "a.h5"); }), "no/a.h5"));
}

}  // namespace
}  // namespace mtlprune::hdf5_file_test
