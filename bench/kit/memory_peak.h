// How much memory something takes at most.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace mtlprune {

/// Bytes by which this process's resident memory exceeds at its peak, while `run` is at work, what it was
/// before; free memory is given back first. Nothing where the system does not say (not Linux).
std::optional<int64_t> peak_memory_of(const std::function<void()>& run);

}  // namespace mtlprune
