// Were two sets of results measured under the same conditions?
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mtlprune::bench {

/// "host_name: 'a' and 'b'" for everything that must agree: host, processors, their frequency (within 10 %),
/// caches, scaling, build type of the library, and whatever a program adds itself (LibTorch, threads).
/// Not what differs between any two runs: date, executable, load, "revision".
std::vector<std::string> context_differences(const nlohmann::json& base, const nlohmann::json& now);

}  // namespace mtlprune::bench
