// torchvision's networks, exported with random weights: half of every group's channels leave. Counts are
// compared with those of Torch-Pruning, outputs with the original's after zeroing.
//   MTLPRUNE_NETWORKS_DIR   where exports are kept (default: real_networks in the build folder)
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pruning/cost/cost.h"
#include "pruning/graph/script_network.h"
#include "tests/pruning/masked_norms.h"
#include "tests/pruning/oracle.h"
#include "tests/pruning/source_networks.h"

namespace mtlprune::real_networks_test {
namespace {

using toy::TensorMap;

/// A line of peer_counts.csv; -1 where the peer fails.
struct PeerCounts {
    std::string model;
    int64_t parameters, parameters_left, macs, macs_left;
};

void PrintTo(const PeerCounts& counts, std::ostream* out) {
    *out << counts.model;
}

std::vector<PeerCounts> peer_counts() {
    std::ifstream file(MTLPRUNE_SOURCE_DIR "/tests/pruning/peer_counts.csv");
    std::vector<PeerCounts> rows;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#' || line.starts_with("model,")) continue;
        std::istringstream fields(line);
        std::vector<std::string> cells;
        for (std::string cell; std::getline(fields, cell, ',');) cells.push_back(cell);
        cells.resize(6);
        const auto number = [&](size_t i) { return cells[i].empty() ? int64_t{-1} : std::stoll(cells[i]); };
        rows.push_back({cells[0], number(2), number(3), number(4), number(5)});
    }
    return rows;
}

std::filesystem::path folder() {
    const char* set = std::getenv("MTLPRUNE_NETWORKS_DIR");
    return set != nullptr && *set != '\0' ? set : MTLPRUNE_NETWORKS_DIR;
}

/// The exported file, written now when it is not there; empty where torchvision is not installed.
std::filesystem::path exported(const std::string& model) {
    constexpr int kNotInstalled = 77;
    const auto path = folder() / (model + ".pt");
    if (std::filesystem::exists(path)) return path;
    const auto command = fmt::format("/usr/bin/python3 '{}/tests/pruning/export_networks.py' '{}' {}",
                                     MTLPRUNE_SOURCE_DIR, folder().string(), model);
    const int status = std::system(command.c_str());
    if (WEXITSTATUS(status) == kNotInstalled) return {};
    if (status != 0) throw Error("export", model, "exit code 0", std::to_string(WEXITSTATUS(status)));
    return path;
}

TensorMap parameters_of(const torch::jit::Module& module) {
    TensorMap tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace(item.name, item.value);
    return tensors;
}

int64_t count(const TensorMap& parameters) {
    int64_t elements = 0;
    for (const auto& [name, value] : parameters) elements += value.numel();
    return elements;
}

/// Keeps int(n / 2) of n, as the peer does.
std::vector<std::vector<int64_t>> peer_half(const std::vector<Group>& groups, const TensorMap& tensors) {
    auto removed = toy::weaker_half(groups, tensors);
    for (size_t g = 0; g < groups.size(); ++g) {
        if (groups[g].frozen || groups[g].channels % 2 == 0 || groups[g].channels == 1) continue;
        std::vector<bool> gone(groups[g].channels);
        for (const int64_t channel : removed[g]) gone[channel] = true;
        removed[g].push_back(std::find(gone.begin(), gone.end(), false) - gone.begin());
    }
    return removed;
}

std::vector<int64_t> left(const std::vector<Group>& groups,
                          const std::vector<std::vector<int64_t>>& removed) {
    auto kept = channel_counts(groups);
    for (size_t g = 0; g < kept.size(); ++g) kept[g] -= static_cast<int64_t>(removed[g].size());
    return kept;
}

struct RealNetworks : testing::TestWithParam<PeerCounts> {};

TEST_P(RealNetworks, HalfPrunedEqualsThePeerInSizeAndTheZeroedOriginalInOutput) {
    const torch::NoGradGuard no_grad;
    const auto& peer = GetParam();
    const auto path = exported(peer.model);
    if (path.empty()) GTEST_SKIP() << "no torchvision for /usr/bin/python3 (Debian: python3-torchvision)";
    auto module = torch::jit::load(path.string());
    const auto bytes = read_file(path.string().substr(0, path.string().size() - 3) + ".io.pt");
    const auto image =
        torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict().at("input").toTensor();

    const auto coupling = couple(module, {image});
    const auto parameters = parameters_of(module);
    EXPECT_EQ(count(parameters), peer.parameters);
    EXPECT_EQ(cost_of(coupling.graph).macs, peer.macs);
    const auto removed = peer_half(coupling.groups, parameters);
    const auto plan = make_plan(coupling.groups, removed);
    const auto cost = cost_of(coupling, left(coupling.groups, removed));
    apply_plan(module, coupling, plan);
    std::string frozen;
    for (const auto& group : coupling.groups) {
        if (group.frozen) frozen += fmt::format("\n  {} ({}): {}", group.name, group.channels, group.reason);
        EXPECT_EQ(group.frozen, !group.reason.empty()) << group.name;
    }
    EXPECT_EQ(count(parameters_of(module)), cost.parameters) << "the cost that was announced";
    if (peer.parameters_left >= 0) {
        EXPECT_EQ(cost.parameters, peer.parameters_left) << "frozen:" << frozen;
        EXPECT_EQ(cost.macs, peer.macs_left) << "frozen:" << frozen;
    } else {
        EXPECT_LT(cost.parameters, peer.parameters) << "frozen:" << frozen;
    }

    const auto original = torch::jit::load(path.string());
    toy::mask_norms(original);
    auto zeroed = parameters_of(original);
    toy::zero_slices(zeroed, plan);
    EXPECT_LT(toy::relative_error(toy::run(module, {image}), toy::run(original, {image})), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Torchvision, RealNetworks, testing::ValuesIn(peer_counts()),
                         [](const auto& info) { return info.param.model; });

}  // namespace
}  // namespace mtlprune::real_networks_test
