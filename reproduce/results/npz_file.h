// Arrays in NumPy's compressed form.
#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

namespace mtlprune {

/// The bytes of a file that numpy.load() reads: each array under its name, float32 or int64, deflated, and
/// the same bytes whenever the arrays are the same. Throws Error for another type. Source: numpy.lib.format.
std::string encode_npz(const std::vector<std::pair<std::string, torch::Tensor>>& arrays);

}  // namespace mtlprune
