#include "pruning/criteria/channel_votes.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <tuple>

#include "base/error.h"

namespace mtlprune {
namespace {

/// The shares of the channels that task `task` uses: (n - rank) / n, and 0 for a score of 0. They are added
/// to those that are there, per group and channel.
void add_shares(size_t task, const std::vector<torch::Tensor>& scores,
                const std::vector<std::vector<size_t>>& users,
                std::vector<std::vector<std::vector<double>>>& shares) {
    std::vector<std::tuple<double, size_t, int64_t>> order;
    for (size_t g = 0; g < scores.size(); ++g) {
        if (std::find(users[g].begin(), users[g].end(), task) == users[g].end()) continue;
        const auto of_task = scores[g].select(1, static_cast<int64_t>(task)).contiguous();
        for (int64_t c = 0; c < of_task.numel(); ++c) order.emplace_back(of_task.data_ptr<double>()[c], g, c);
    }
    std::sort(order.begin(), order.end());
    const auto count = static_cast<double>(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
        const auto& [score, group, channel] = order[i];
        shares[group][static_cast<size_t>(channel)].push_back(score > 0.0 ? static_cast<double>(i + 1) / count
                                                                          : 0.0);
    }
}

}  // namespace

size_t VoteRule::needed(size_t tasks) const {
    if (votes > 0) return std::min(votes, tasks);
    return static_cast<size_t>(keepers_needed(vote, static_cast<int64_t>(tasks)));
}

std::vector<Option> channel_vote_options() {
    return {{"vote", "all", "who must agree that a channel leaves: all tasks, any of them, more than half",
             votes().names()},
            {"votes", 0, "in place of vote: at least so many tasks must keep a channel (CUT: 2)"}};
}

VoteRule read_vote_rule(const nlohmann::json& options) {
    const auto least = options.at("votes").get<int64_t>();
    if (least < 0) throw Error("option", "votes", "0 or a number of tasks", std::to_string(least));
    return {votes().value(options.at("vote").get<std::string>(), "vote"), static_cast<size_t>(least)};
}

std::vector<std::vector<size_t>> tasks_using(const Evidence& now, size_t tasks) {
    std::vector<size_t> all(tasks);
    std::iota(all.begin(), all.end(), size_t{0});
    size_t outputs = 0;
    for (const auto& group : now.groups())
        for (const size_t output : group.outputs) outputs = std::max(outputs, output + 1);
    std::vector<std::vector<size_t>> users;
    for (const size_t number : now.asked()) {
        const auto& reached = now.groups()[number].outputs;
        users.push_back(outputs == tasks && !reached.empty() ? reached : all);
    }
    return users;
}

std::vector<torch::Tensor> vote(const std::vector<torch::Tensor>& scores,
                                const std::vector<std::vector<size_t>>& users, const VoteRule& rule) {
    std::vector<torch::Tensor> numbers;
    std::vector<std::vector<std::vector<double>>> shares;
    size_t tasks = 0;
    for (const auto& group : scores) {
        numbers.push_back(group.to(torch::kCPU, torch::kDouble));
        shares.emplace_back(static_cast<size_t>(group.size(0)));
        tasks = std::max(tasks, static_cast<size_t>(group.size(1)));
    }
    for (size_t task = 0; task < tasks; ++task) add_shares(task, numbers, users, shares);
    std::vector<torch::Tensor> result;
    for (auto& group : shares) {
        std::vector<double> last;
        for (auto& channel : group) {
            std::sort(channel.begin(), channel.end(), std::greater<>());
            last.push_back(channel.at(rule.needed(channel.size()) - 1));
        }
        result.push_back(torch::tensor(last, torch::kDouble));
    }
    return result;
}

}  // namespace mtlprune
