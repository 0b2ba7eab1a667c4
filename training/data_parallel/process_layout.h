// Which process of how many this one is, as torchrun or Slurm says it in the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mtlprune {

/// Of a training that several processes share; the defaults: of one that is alone.
struct ProcessLayout {
    int64_t rank = 0;  ///< this process, 0..ranks-1
    int64_t ranks = 1;
    int64_t local_rank = 0;   ///< among those on this machine: which GPU
    std::string address;      ///< of the machine of rank 0
    int64_t port = 0;         ///< where the processes meet there
    bool store_runs = false;  ///< torchrun itself keeps the store where they meet
    std::string store_prefix;

    bool alone() const { return ranks == 1; }
    bool first() const { return rank == 0; }
    bool operator==(const ProcessLayout&) const = default;
};

/// The value of a variable; nothing where it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string&)>;

/// From torchrun's variables (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) or, where there are
/// none, from those that srun gives the tasks of a step (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID); there
/// MASTER_ADDR and MASTER_PORT may be left out: the step's first node, and a port from the ids of job and
/// step. A batch script that srun did not start is alone, whatever its SLURM_NTASKS. Throws Error naming the
/// variable that is missing, malformed or contradicts another. An empty variable counts as not set.
ProcessLayout process_layout(const EnvironmentLookup& look);

/// Of this process's environment.
ProcessLayout process_layout();

/// "mtlprune train: expected ...": for what only one process can do. Throws Error unless alone.
void require_alone(const ProcessLayout& layout, const std::string& what);

}  // namespace mtlprune
