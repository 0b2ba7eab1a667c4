// Proof that a pruned network computes what the original computes without the removed channels.
#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/surgery/other_sizes.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

struct Verification {
    /// Largest difference of the outputs relative to the largest output; infinite when they do not compare.
    double error = 0;
    std::string first_difference;  ///< the operator whose result differs first, or whatever else is known of
                                   ///< the place; empty when the error is within tolerance
    std::string failure;           ///< why the pruned network does not run; empty when it does
    SizeChanges other_sizes;       ///< of the inputs, at which the pruned network computes what it should too
    /// Sizes at which the original runs and the pruned network does not or may do something else, and why.
    std::vector<std::string> unconfirmed;
    bool passed() const { return first_difference.empty(); }
    /// What was found instead of the expected outputs.
    std::string found() const;
};

/// Runs `original` (which is changed: it is used up) with the plan's slices set to zero and `pruned` on the
/// inputs. Normalisations across channels of which some left (layer and group norm) are computed over the
/// channels that stay, independently of the surgery. Tolerance: 1e-4 for float32, 1e-9 for float64. Networks
/// in float32 that exceed it are compared once more in float64, which tells rounding that a network amplifies
/// from a wrong result; `error` is then that of float64. Networks in half precision are compared in float32.
/// A network that passes is compared once more with inputs of other sizes, of all dimensions that can have
/// others; a different result there is a failure too.
Verification verify(torch::jit::Module& original, const torch::jit::Module& pruned, const Plan& plan,
                    const std::vector<c10::IValue>& inputs, const CouplingOptions& options = {});

/// Largest difference relative to the largest expected value; infinite when shapes differ or a value is not
/// finite.
double relative_error(const torch::Tensor& found, const torch::Tensor& expected);

/// Real numbers in float64; others as they are.
torch::Tensor in_double(const torch::Tensor& tensor);
std::vector<torch::Tensor> in_double(std::vector<torch::Tensor> tensors);

/// The largest relative error that rounding explains, by type.
double verification_tolerance(const torch::Tensor& expected);

}  // namespace mtlprune
