// Random networks, random plans: the pruned network must equal the original with zeros, and no plan may
// differ between two runs.
//   MTLPRUNE_FUZZ_CASES=100000 build/bin/test_pruning --gtest_filter=Fuzz.*     that many (default: 2000)
//   MTLPRUNE_FUZZ_SEED=1234 build/bin/test_pruning --gtest_filter=Fuzz.*        one case, as a failure prints
//   it; with both variables that many from there
#include <ATen/Parallel.h>
#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <array>
#include <cstdlib>

#include "tests/pruning/fuzz_networks.h"
#include "tests/pruning/pattern_check.h"

namespace mtlprune::fuzz_test {
namespace {

constexpr size_t kPrinted = 10;  ///< failures

uint64_t number_from(const char* variable, uint64_t fallback) {
    const char* set = std::getenv(variable);
    return set == nullptr || *set == '\0' ? fallback : std::strtoull(set, nullptr, 10);
}

/// The forms take turns; sizes written as literals can only be rewritten in a graph.
toy::Form form_of(const toy::SourceNetwork& network, uint64_t seed) {
    using enum toy::Form;
    if (network.has_literals) return (seed / 3) % 2 == 0 ? script : trace;
    return std::array{cpp, script, trace}[(seed / 3) % 3];
}

constexpr const char* kRefused = "refused";

/// The unbiased variance of one channel is undefined, and written norms of wide features use it.
std::vector<std::vector<int64_t>> with_variance(const std::vector<Group>& groups,
                                                std::vector<std::vector<int64_t>> removed) {
    constexpr int64_t kWide = 6;
    for (size_t g = 0; g < groups.size(); ++g)
        if (groups[g].channels >= kWide && static_cast<int64_t>(removed[g].size()) + 1 == groups[g].channels)
            removed[g].pop_back();
    return removed;
}

/// The whole check of one seed; empty when it passes.
std::string failure_of(const toy::SourceNetwork& network, toy::Form form, uint64_t seed, bool& pruned) {
    const auto choice = [&](const std::vector<Group>& groups, const toy::TensorMap&) {
        return with_variance(groups, toy::random_removal(groups, seed));
    };
    // Numbers in C++ code (groups, the outer size of a view) cannot follow; prune() restores such a
    // module.
    const auto unless_refused = [&](const std::string& failure) {
        if (form != toy::Form::cpp) return failure;
        const auto problem = toy::refusal_problem(network, torch::kFloat64);
        return problem.empty() ? std::string(kRefused) : problem;
    };
    try {
        const auto outcome = toy::prune_and_compare(network, form, torch::kFloat64, choice);
        pruned = !outcome.plan.slices.empty();
        if (!(outcome.error < 1e-10)) return unless_refused(fmt::format("relative error {}", outcome.error));
        if (seed % 8 == 0 &&
            toy::prune_and_compare(network, form, torch::kFloat64, choice).plan != outcome.plan)
            return "two runs, two plans";
    } catch (const std::exception& error) {
        return unless_refused(error.what());
    }
    return "";
}

TEST(Fuzz, RandomNetworksEqualTheirZeroedOriginals) {
    at::set_num_threads(1);
    c10::SetStackTraceFetcher([] { return std::string(); });  // half of the time, for nobody
    const torch::NoGradGuard no_grad;
    const bool replay = std::getenv("MTLPRUNE_FUZZ_SEED") != nullptr;
    const uint64_t first = number_from("MTLPRUNE_FUZZ_SEED", 0);
    const uint64_t cases = number_from("MTLPRUNE_FUZZ_CASES", replay ? 1 : 2000);
    size_t failures = 0, pruned = 0, checked = 0, refused = 0;
    for (uint64_t seed = first; seed < first + cases; ++seed) {
        const auto network = toy::random_network(seed);
        const auto form = form_of(network, seed);
        bool removed = false;
        const auto failure = failure_of(network, form, seed, removed);
        ++checked;
        pruned += removed ? 1 : 0;
        refused += failure == kRefused ? 1 : 0;
        if (failure.empty() || failure == kRefused || ++failures > kPrinted) continue;
        ADD_FAILURE() << failure << " (" << toy::name_of(form) << ")\nreplay: MTLPRUNE_FUZZ_SEED=" << seed
                      << " build/bin/test_pruning --gtest_filter=Fuzz.*\n"
                      << toy::source_text(network);
    }
    EXPECT_EQ(failures, 0u) << "of " << checked;
    if (cases == 1) return;
    EXPECT_LT(refused, checked / 20) << "too many C++ modules could not follow";
    EXPECT_GT(pruned, checked / 2) << "too few networks could be pruned for this to show much";
}

TEST(Fuzz, TheGeneratorIsDeterministic) {
    EXPECT_EQ(toy::source_text(toy::random_network(5)), toy::source_text(toy::random_network(5)));
    EXPECT_NE(toy::source_text(toy::random_network(5)), toy::source_text(toy::random_network(6)));
}

}  // namespace
}  // namespace mtlprune::fuzz_test
