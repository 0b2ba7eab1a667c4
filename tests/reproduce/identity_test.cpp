#include "reproduce/stages/identity.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "base/atomic_file.h"
#include "base/revision.h"
#include "reproduce/stages/data_fingerprint.h"
#include "reproduce/stages/stage.h"
#include "tests/temporary_folder.h"

namespace mtlprune::identity_test {
namespace {

namespace fs = std::filesystem;
using Overrides = std::vector<std::pair<std::string, nlohmann::json>>;

constexpr const char* kTiny = R"({
  "name": "tiny", "data": {"height": 16, "width": 16}, "dense": {"iterations": 2},
  "model": "vgg16:channels=[6,7],pools=0/smallaspp:hidden=4",
  "retrain": {"iterations": 3, "targets": [{"parameters_fraction": 0.5}]}})";

/// A folder that holds files, which nobody reads as frames here; fingerprints are kept in a folder of the
/// test.
class Identity : public ::testing::Test {
  protected:
    Identity() {
        ::setenv("MTLPRUNE_CACHE", (folder_ / "cache").c_str(), 1);
        make_folder(data() / "img");
        write_file_atomically(data() / "list.json", "[1, 2]");
        write_file_atomically(data() / "img" / "0.png", "pixels");
    }
    ~Identity() override { ::unsetenv("MTLPRUNE_CACHE"); }

    fs::path data() const { return folder_ / "data"; }

    /// Hash by name of the stages, with the data in `path`.
    static std::map<std::string, std::string> hashes(const fs::path& path, Overrides overrides = {},
                                                     const Behaviour& behaviour = {}) {
        overrides.insert(overrides.begin(), {{"data.kind", "nyuv2_adashare"}, {"data.path", path.string()}});
        std::map<std::string, std::string> hashes;
        for (const auto& stage : plan_stages(read_experiment(kTiny, "tiny.json", overrides), behaviour))
            hashes[stage.name] = stage.hash();
        return hashes;
    }

    static std::set<std::string> differing(const std::map<std::string, std::string>& a,
                                           const std::map<std::string, std::string>& b) {
        std::set<std::string> names;
        for (const auto& [name, hash] : a)
            if (b.at(name) != hash) names.insert(name);
        return names;
    }

    TemporaryFolder folder_;
};

TEST_F(Identity, KeepsWhenTheDataMovesOrIsReadOtherwise) {
    const auto before = hashes(data());
    EXPECT_EQ(before.size(), 6u);
    for (const Overrides& other :
         {Overrides{{"data.workers", 3}}, Overrides{{"data.cache", true}}, Overrides{{"device", "cuda"}},
          Overrides{{"threads_per_stage", 2}}, Overrides{{"name", "other"}}, Overrides{{"seeds", {0, 4}}},
          Overrides{{"data.kind", "adashare"}}})
        EXPECT_EQ(hashes(data(), other), before) << other[0].first;
    fs::rename(data(), folder_ / "elsewhere");
    EXPECT_EQ(hashes(folder_ / "elsewhere"), before);
    fs::last_write_time(folder_ / "elsewhere" / "list.json", fs::file_time_type::clock::now());
    EXPECT_EQ(hashes(folder_ / "elsewhere"), before);
}

TEST_F(Identity, ChangesOfAllStagesWithTheContentOfTheData) {
    const auto before = hashes(data());
    const std::function<void()> changes[] = {
        [&] { write_file_atomically(data() / "img" / "0.png", "pixelz"); },
        [&] { write_file_atomically(data() / "img" / "1.png", "more"); },
        [&] { fs::rename(data() / "img" / "1.png", data() / "img" / "2.png"); },
        [&] { fs::remove(data() / "list.json"); }};
    std::set<std::string> seen = {before.at("dense")};
    for (const auto& change : changes) {
        change();
        const auto after = hashes(data());
        EXPECT_EQ(differing(before, after).size(), before.size());
        EXPECT_TRUE(seen.insert(after.at("dense")).second) << "an identity comes back";
    }
}

TEST_F(Identity, ChangesOfThoseStagesThatDependOnARaisedNumber) {
    using Names = std::set<std::string>;
    const auto before = hashes(data());
    const Names pruned = {"prune-taylor", "prune-cosprune", "retrain-taylor-0", "retrain-cosprune-0"};
    Names networks = pruned, all;
    networks.insert("dense");
    all = networks;
    all.insert("constant");
    const auto raised = [&](int Behaviour::*room) {
        Behaviour behaviour;
        ++(behaviour.*room);
        return differing(before, hashes(data(), {}, behaviour));
    };
    EXPECT_EQ(raised(&Behaviour::pruning), pruned);
    EXPECT_EQ(raised(&Behaviour::models), networks);
    for (const auto room :
         {&Behaviour::base, &Behaviour::datasets, &Behaviour::training, &Behaviour::reproduce})
        EXPECT_EQ(raised(room), all);
}

TEST_F(Identity, FingerprintsAreKeptUntilAFileChanges) {
    const auto first = data_fingerprint(data());
    EXPECT_EQ(first.size(), 64u);
    for (const auto& entry : fs::directory_iterator(folder_ / "cache"))
        write_file_atomically(entry.path(), "kept");
    EXPECT_EQ(data_fingerprint(data()), "kept");            // nothing was read
    write_file_atomically(data() / "list.json", "[1, 2]");  // the same content, written again
    EXPECT_EQ(data_fingerprint(data()), first);
    EXPECT_EQ(data_fingerprint(folder_ / "nowhere"), "absent");
    EXPECT_NE(data_fingerprint(data() / "list.json"), first);
    ::setenv("MTLPRUNE_CACHE", "/proc/none", 1);  // nowhere to keep it
    EXPECT_EQ(data_fingerprint(data()), first);
}

TEST_F(Identity, DoesNotHoldTheProgramsRevision) {
    const auto& program = this_program();
    for (const auto& stage : plan_stages(read_experiment(kTiny, "tiny.json")))
        for (const auto& word : {program.version, program.revision})
            EXPECT_EQ(stage.identity.dump().find("\"" + word + "\""), std::string::npos) << stage.name;
}

}  // namespace
}  // namespace mtlprune::identity_test
