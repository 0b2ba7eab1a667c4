// What the results were computed on, and by.
#pragma once

#include <nlohmann/json.hpp>

namespace mtlprune {

/// This program ("program"), CPU model, cores, memory, kernel, compiler, LibTorch version and its GPU (if
/// any): no times, so that it is the same on every start.
nlohmann::json machine_description();

}  // namespace mtlprune
