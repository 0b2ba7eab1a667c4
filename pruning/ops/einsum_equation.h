// Equations of einsum: which axes of which operands are the same index of a sum.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mtlprune {

/// One number per axis, counted from 0; equal numbers are the same index.
using Letters = std::vector<int>;

struct EinsumEquation {
    std::vector<Letters> operands;
    Letters out;
};

/// "bnc,bnc->bc" for operands of these ranks. An ellipsis stands for the axes that the letters leave, counted
/// from the last; without "->" the output is what occurs once, in alphabetical order.
EinsumEquation parse_einsum(std::string text, const std::vector<size_t>& ranks);

}  // namespace mtlprune
