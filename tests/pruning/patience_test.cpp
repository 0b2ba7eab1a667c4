// Events that wait until the losses no longer go down.
#include "pruning/schedules/patience.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "pruning/surgery/surgery.h"
#include "tests/pruning/regularized_run.h"

namespace mtlprune::patience_test {
namespace {

TEST(Patience, IsLostAfterSoManyWindowsThatAreNoBetter) {
    Patience patience(2);
    const auto window = [&](double first, double second) {
        patience.add(torch::tensor({first, 1.0}));
        patience.add(torch::tensor({second, 1.0}));
        const bool lost = patience.is_lost();
        patience.end_window();
        return lost;
    };
    EXPECT_FALSE(patience.is_lost()) << "nothing was seen";
    EXPECT_FALSE(window(5.0, 5.0));
    EXPECT_FALSE(window(9.0, 1.0)) << "the mean is the same";
    EXPECT_FALSE(window(4.0, 5.0)) << "better than the best";
    EXPECT_FALSE(window(5.0, 5.0));
    EXPECT_TRUE(window(4.0, 5.0)) << "the second that is no better";
    EXPECT_TRUE(window(8.0, 8.0));
    patience.start_again();
    EXPECT_FALSE(window(8.0, 8.0));
    EXPECT_FALSE(window(std::nan(""), 1.0));
    EXPECT_TRUE(window(std::nan(""), 1.0)) << "no number is no better";
}

IterativePrunerOptions patient(int64_t patience, EditKind edit = EditKind::remove) {
    auto options = five_of_shared(3, 2, edit);
    options.patience = patience;
    return options;
}

/// At which iterations (from 0) events are to happen, from the losses of all iterations.
std::vector<int64_t> expected_events(const std::vector<double>& losses, int64_t frequency, int64_t patience) {
    std::vector<int64_t> events;
    double best = INFINITY;
    int64_t worse = 0, begin = 0;
    for (int64_t end = frequency - 1; end < static_cast<int64_t>(losses.size()); end += frequency) {
        double mean = 0.0;
        for (int64_t i = begin; i < end; ++i)
            mean += losses[static_cast<size_t>(i)] / static_cast<double>(end - begin);
        begin = end;
        if (mean < best) {
            best = mean;
            worse = 0;
        } else if (++worse >= patience) {
            events.push_back(end);
            best = INFINITY;
            worse = 0;
        }
    }
    return events;
}

TEST(PatientPruner, PrunesWhenTheLossesStopImproving) {
    for (const int64_t patience : {1, 2, 3}) {
        RegularizedRun run(drawn_model(), "", patient(patience));
        std::vector<double> losses;
        std::vector<int64_t> found;
        for (int64_t i = 0; i < 60 && !run.pruner->finished(); ++i) {
            const size_t before = run.pruner->events().size();
            const bool due = run.pruner->due();
            losses.push_back(run.trainer.step(run.batch()).to(torch::kDouble).sum().item<double>());
            if (run.pruner->events().size() > before) found.push_back(i);
            EXPECT_EQ(due, run.pruner->events().size() > before);
        }
        EXPECT_EQ(found, expected_events(losses, 3, patience)) << patience;
        EXPECT_EQ(found.size(), 2U) << patience;
        EXPECT_GE(found.at(0), 3 * (patience + 1) - 1);
    }
}

TEST(PatientPruner, ResumesExactly) {
    RegularizedRun whole(drawn_model(), "", patient(2, EditKind::mask));
    whole.step(8);
    ASSERT_TRUE(whole.pruner->events().empty());
    RegularizedRun resumed(drawn_model(), "", patient(2, EditKind::mask));
    resumed.trainer.load_state(whole.trainer.state());
    for (int i = 0; i < 40 && !whole.pruner->finished(); ++i) {
        whole.step();
        resumed.step();
        ASSERT_EQ(whole.pruner->events().size(), resumed.pruner->events().size()) << i;
    }
    ASSERT_EQ(whole.pruner->events().size(), 2U);
    for (const auto& [name, tensor] : whole.trainer.state())
        EXPECT_TRUE(torch::equal(tensor, resumed.trainer.state().at(name))) << name;
}

TEST(PatientPruner, StopsAtTheCapAndAfterTheLastEvent) {
    const auto steps = [](int64_t iterations, int64_t events) {
        auto options = patient(1);
        options.iterations = iterations;
        options.events = events;
        RegularizedRun run(drawn_model(), "", options);
        run.trainer.run([&] { return run.batch(); });
        return std::pair(run.trainer.iteration(), run.pruner->events().size());
    };
    EXPECT_EQ(steps(3, 50).first, 2) << "the window that reaches it ends there";
    const auto [iterations, events] = steps(0, 1);
    EXPECT_EQ(events, 1U);
    EXPECT_EQ((iterations + 1) % 3, 0);
}

}  // namespace
}  // namespace mtlprune::patience_test
