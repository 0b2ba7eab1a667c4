#include "training/data_parallel/process_layout.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <limits>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr const char* kSubject = "environment";
constexpr int64_t kLargestPort = 65535;

/// Of one environment.
class Variables {
  public:
    explicit Variables(const EnvironmentLookup& look) : look_(look) {}

    std::optional<std::string> text(const std::string& name) const {
        auto value = look_(name);
        return value && value->empty() ? std::nullopt : value;
    }

    std::string required_text(const std::string& name, const std::string& beside) const {
        if (auto value = text(name)) return *value;
        throw Error(kSubject, name, fmt::format("a value beside {}", beside), "nothing");
    }

    std::optional<int64_t> number(const std::string& name, int64_t low, int64_t high) const {
        const auto value = text(name);
        if (!value) return std::nullopt;
        int64_t number = 0;
        const auto [end, code] = std::from_chars(value->data(), value->data() + value->size(), number);
        if (code != std::errc() || end != value->data() + value->size() || number < low || number > high)
            throw Error(kSubject, name,
                        high == std::numeric_limits<int64_t>::max()
                            ? fmt::format("a whole number from {}", low)
                            : fmt::format("a whole number in {}..{}", low, high),
                        "'" + *value + "'");
        return number;
    }

    int64_t required_number(const std::string& name, int64_t low, int64_t high,
                            const std::string& beside) const {
        if (const auto value = number(name, low, high)) return *value;
        throw Error(kSubject, name, fmt::format("a value beside {}", beside), "nothing");
    }

  private:
    const EnvironmentLookup& look_;
};

/// Names of the variables that say who a process is.
struct LayoutNames {
    const char* rank;
    const char* ranks;
    const char* local_rank;
};
constexpr LayoutNames kTorchrunNames = {"RANK", "WORLD_SIZE", "LOCAL_RANK"};
constexpr LayoutNames kSlurmNames = {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"};

/// Without the place where the processes meet.
ProcessLayout numbers_of(const Variables& variables, const LayoutNames& names) {
    constexpr auto kNoLimit = std::numeric_limits<int64_t>::max();
    ProcessLayout layout;
    layout.ranks = variables.required_number(names.ranks, 1, kNoLimit, names.rank);
    layout.rank = variables.required_number(names.rank, 0, kNoLimit, names.ranks);
    if (layout.rank >= layout.ranks)
        throw Error(kSubject, names.rank, fmt::format("less than {} ({})", names.ranks, layout.ranks),
                    std::to_string(layout.rank));
    if (layout.alone()) return layout;
    layout.local_rank = variables.required_number(names.local_rank, 0, kNoLimit, names.ranks);
    if (layout.local_rank > layout.rank)
        throw Error(kSubject, names.local_rank, fmt::format("at most {} ({})", names.rank, layout.rank),
                    std::to_string(layout.local_rank));
    return layout;
}

ProcessLayout torchrun_layout(const Variables& variables) {
    auto layout = numbers_of(variables, kTorchrunNames);
    if (layout.alone()) return {};
    layout.address = variables.required_text("MASTER_ADDR", kTorchrunNames.ranks);
    layout.port = variables.required_number("MASTER_PORT", 1, kLargestPort, kTorchrunNames.ranks);
    layout.store_runs = variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
    // Processes that torchrun starts again must not read what the killed ones wrote.
    layout.store_prefix =
        fmt::format("attempt {}", variables.text("TORCHELASTIC_RESTART_COUNT").value_or("0"));
    return layout;
}

/// "node[03-05,9],login" is node03.
std::string first_host(const std::string& hosts, const std::string& name) {
    std::string first;
    for (size_t i = 0; i < hosts.size() && hosts[i] != ','; ++i) {
        if (hosts[i] != '[') {
            first += hosts[i];
            continue;
        }
        const size_t end = hosts.find(']', i);
        const auto number = hosts.substr(i + 1, hosts.find_first_of("-,]", i) - i - 1);
        if (end == std::string::npos || number.empty())
            throw Error(kSubject, name, "a list of hosts like node[1-4]", "'" + hosts + "'");
        first += number;
        i = end;
    }
    if (first.empty()) throw Error(kSubject, name, "a list of hosts like node[1-4]", "'" + hosts + "'");
    return first;
}

/// Tasks are placed on the first node of the step first.
std::string slurm_address(const Variables& variables) {
    if (auto address = variables.text("MASTER_ADDR")) return *address;
    for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"})
        if (const auto hosts = variables.text(name)) return first_host(*hosts, name);
    return variables.required_text("SLURM_LAUNCH_NODE_IPADDR",
                                   "SLURM_NTASKS (or MASTER_ADDR, or SLURM_NODELIST)");
}

/// Steps of one job that run at the same time meet at different ports.
int64_t slurm_port(const Variables& variables) {
    if (const auto port = variables.number("MASTER_PORT", 1, kLargestPort)) return *port;
    constexpr int64_t kFirst = 20000, kPorts = 10000, kApart = 97;
    constexpr auto kNoLimit = std::numeric_limits<int64_t>::max() / 1000;
    const int64_t job =
        variables.required_number("SLURM_JOB_ID", 0, kNoLimit, "SLURM_NTASKS (or MASTER_PORT)");
    const int64_t step = variables.required_number("SLURM_STEP_ID", 0, kNoLimit, "SLURM_NTASKS");
    return kFirst + (job % kPorts + step % kPorts * kApart) % kPorts;
}

ProcessLayout slurm_layout(const Variables& variables) {
    auto layout = numbers_of(variables, kSlurmNames);
    if (layout.alone()) return {};
    layout.address = slurm_address(variables);
    layout.port = slurm_port(variables);
    return layout;
}

}  // namespace

ProcessLayout process_layout(const EnvironmentLookup& look) {
    const Variables variables(look);
    if (variables.text(kTorchrunNames.rank) || variables.text(kTorchrunNames.ranks))
        return torchrun_layout(variables);
    // Batch scripts have SLURM_PROCID and SLURM_NTASKS too, but only srun starts that many.
    if (variables.text("SLURM_STEP_ID") && variables.text(kSlurmNames.rank)) return slurm_layout(variables);
    return {};
}

ProcessLayout process_layout() {
    return process_layout([](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        if (value == nullptr) return std::nullopt;
        return value;
    });
}

void require_alone(const ProcessLayout& layout, const std::string& what) {
    if (layout.alone()) return;
    throw Error("processes", what, "one process (mtlprune run-stage runs a stage by several)",
                fmt::format("rank {} of {} (environment of torchrun or Slurm)", layout.rank, layout.ranks));
}

}  // namespace mtlprune
