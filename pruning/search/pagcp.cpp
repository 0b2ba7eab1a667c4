// Sequential greedy search under the loss of the task that suffers most (Ye et al., Performance-aware
// Approximation of Global Channel Pruning for Multitask CNNs, T-PAMI 2023; HankYe/PAGCP).
#include <fmt/format.h>

#include "base/error.h"
#include "pruning/search/pagcp_round.h"
#include "pruning/search/search.h"

namespace mtlprune {
namespace {

class Pagcp : public Search {
  public:
    explicit Pagcp(const PagcpOptions& options) : options_(options) {}
    Allocation choose(const SearchSubject& subject) const override { return pagcp_round(subject, options_); }

  private:
    PagcpOptions options_;
};

double number_in(const nlohmann::json& options, const std::string& name, double least, double most) {
    const auto value = options.at(name).get<double>();
    if (!(value >= least && value <= most))
        throw Error("search pagcp", name, fmt::format("a number from {} to {}", least, most),
                    fmt::format("{}", value));
    return value;
}

}  // namespace

Registry<Search>::Entry pagcp_search() {
    constexpr double kMost = 1e6;
    return {
        {.key = "pagcp",
         .summary = "group by group the largest ratio (0.05 to 0.95) at which no task's loss rises by more "
                    "than the group's allowance; allowances multiply to a global factor",
         .paper = "Ye et al., Performance-aware Approximation of Global Channel Pruning for Multitask CNNs, "
                  "T-PAMI 2023",
         .options =
             {{"initial_rate", 0.06, "by how much the first group may raise a loss: a share of it"},
              {"rate_slope", 0.0, "what is added to it in every further event"},
              {"initial_thres", 6.0, "by which factor all groups of an event together may raise a loss"},
              {"thres_slope", 0.0, "what is added to it in every further event"},
              {"exp", true, "false: every group has the first one's allowance, whatever the factor"},
              {"topk", 0.8,
               "share of the groups that lose channels: those with the least loss per MAC saved"},
              {"scan",
               "linear",
               "binary: by bisection, as if losses only rose with the ratio",
               {"linear", "binary"}},
              {"empty_candidates", false, "ratios that take no channel of a small group count as ratios"},
              {"dense_when_all_pass", false,
               "a group that passes every ratio stays whole while others are searched, and loses the last "
               "ratio but one"},
              {"skipped_keep_rate", false,
               "a group that passes no ratio leaves its allowance to the next one"}},
         .as_released = {{"empty_candidates", true},
                         {"dense_when_all_pass", true},
                         {"skipped_keep_rate", true}}},
        [](const nlohmann::json& options) {
            return std::make_unique<Pagcp>(
                PagcpOptions{.rate = number_in(options, "initial_rate", 0.0, kMost),
                             .rate_slope = number_in(options, "rate_slope", -kMost, kMost),
                             .factor = number_in(options, "initial_thres", 1.0, kMost),
                             .factor_slope = number_in(options, "thres_slope", -kMost, kMost),
                             .growing = options.at("exp").get<bool>(),
                             .topk = number_in(options, "topk", 0.0, 1.0),
                             .binary = options.at("scan").get<std::string>() == "binary",
                             .empty_candidates = options.at("empty_candidates").get<bool>(),
                             .dense_when_all_pass = options.at("dense_when_all_pass").get<bool>(),
                             .skipped_keep_rate = options.at("skipped_keep_rate").get<bool>()});
        }};
}

}  // namespace mtlprune
