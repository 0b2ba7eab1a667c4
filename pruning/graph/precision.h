// Networks in another precision than they were saved in.
#pragma once

#include <torch/script.h>

namespace mtlprune {

/// A copy whose real numbers are of this type: parameters, buffers, constants of the code and types that the
/// code names. Integers stay what they are. Code is inlined in `forward`.
torch::jit::Module in_precision(const torch::jit::Module& module, c10::ScalarType type);

/// Real numbers of a type that processors do not compute everything with: float16 and bfloat16.
bool is_low_precision(c10::ScalarType type);

/// Any parameter or buffer is.
bool is_low_precision(const torch::jit::Module& module);

}  // namespace mtlprune
