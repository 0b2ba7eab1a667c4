#include "datasets/layouts/taskonomy/taskonomy_splits.h"

#include "tests/bad_input.h"
#include "tests/datasets/zip_writer.h"

namespace mtlprune::taskonomy_splits_test {
namespace {

using Names = std::vector<std::string>;

Names read(const std::string& text, const std::string& split) {
    const TemporaryFolder folder;
    write_bytes(folder / "a.csv", text);
    return taskonomy_buildings(folder / "a.csv", "tiny", split);
}

TEST(TaskonomySplits, ReadsEveryKindOfLineEnd) {
    for (const std::string end : {"\r", "\n", "\r\n"})
        for (const std::string& last : {std::string(), end}) {
            const std::string text = "id,train,val,test" + end + "hanson,1,0,0" + end + "wiconisco,0,1,0" +
                                     end + "ihlen,0,0,1" + end + "merom,1,0,0" + last;
            EXPECT_EQ(read(text, "train"), (Names{"hanson", "merom"}));
            EXPECT_EQ(read(text, "val"), (Names{"wiconisco"}));
            EXPECT_EQ(read(text, "test"), (Names{"ihlen"}));
        }
}

TEST(TaskonomySplits, NamesTheLineThatIsWrong) {
    const auto expect = [](const std::string& text, const std::string& part) {
        const auto message = error_of([&] { read(text, "train"); });
        EXPECT_NE(message.find("a.csv"), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
    };
    const std::string heading = "id,train,val,test\r";
    expect("", "an empty file");
    expect("hanson,1,0,0\r", "the heading id,train,val,test, found hanson,1,0,0");
    expect("id,trian,val\rhanson,1,0\r", "did you mean 'trian'?");
    expect(heading + "hanson,1,0\r", "line 2: expected 4 fields, found 3");
    expect(heading + "hanson,1,0,0\rmerom,2,0,0\r", "line 3: expected 0 or 1 for train, found '2'");
    expect(heading + "hanson,1,0,0\rhanson,1,0,0\r",
           "line 3: expected a building's name, once, found 'hanson'");
    for (const char* name : {"", "..", "../hanson", "/etc", "a/b", ".hidden"})
        expect(heading + name + ",1,0,0\r",
               fmt::format("expected a building's name, once, found '{}'", name));
    expect(heading + "wiconisco,0,1,0\r", "expected buildings in split train, found none");
}

TEST(TaskonomySplits, FindsTheListInTheArchiveAmongJunk) {
    const TemporaryFolder folder;
    const std::string junk("\0\5\x16\7\0\2", 6), tiny = "id,train,val,test\rhanson,1,0,0\r",
                                                 full = "id,train,val,test\rarbutus,1,0,0\r";
    const ZipMembers members = {{"splits_taskonomy/", ""},
                                {"splits_taskonomy/train_val_test_tiny.csv", tiny},
                                {"__MACOSX/", ""},
                                {"__MACOSX/splits_taskonomy/._train_val_test_tiny.csv", junk},
                                {"__MACOSX/splits_taskonomy/train_val_test_tiny.csv", junk},
                                {"splits_taskonomy/._train_val_test_full.csv", junk},
                                {"splits_taskonomy/.DS_Store", junk},
                                {"splits_taskonomy/train_val_test_full.csv", full}};
    const auto archive = folder / "splits.zip";
    write_zip(archive, members);
    EXPECT_EQ(taskonomy_buildings(archive, "tiny", "train"), (Names{"hanson"}));
    EXPECT_EQ(taskonomy_buildings(archive, "full", "train"), (Names{"arbutus"}));
    const auto missing = error_of([&] { taskonomy_buildings(archive, "medium", "train"); });
    EXPECT_NE(missing.find("splits.zip: expected one train_val_test_medium.csv, found 0 among the lists "
                           "[splits_taskonomy/train_val_test_tiny.csv, "
                           "splits_taskonomy/train_val_test_full.csv]"),
              std::string::npos)
        << missing;
    const auto split = error_of([&] { taskonomy_buildings(archive, "tiny", "test"); });
    EXPECT_NE(
        split.find("splits.zip: splits_taskonomy/train_val_test_tiny.csv: expected buildings in split test"),
        std::string::npos)
        << split;
    auto twice = members;
    twice.push_back({"copy/train_val_test_tiny.csv", tiny});
    write_zip(archive, twice);
    EXPECT_NE(error_of([&] { taskonomy_buildings(archive, "tiny", "train"); }).find("found 2 among"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::taskonomy_splits_test
