// Pruning of TorchScript networks: coupling, surgery on parameters and on the sizes written into the code.
#pragma once

#include <torch/script.h>

#include <set>
#include <string>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/graph/script_graph.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// Traces the module's forward (on shapes alone where possible) and finds all groups.
Coupling couple(const torch::jit::Module& module, const std::vector<c10::IValue>& inputs,
                const CouplingOptions& options = {});

/// Removes what the plan names from the parameters and buffers and changes constants of the code that follow:
/// sizes of views, bounds of slices, groups of depthwise convolutions, indices, constant tensors. `coupling`
/// must come from this module as it is; it is used up, couple again to go on. The code of forward is inlined;
/// forward methods of submodules stay as they were and must not be called on their own. Throws Error before
/// anything is changed when the plan does not fit, or names the place where one piece of code would need two
/// different sizes.
void apply_plan(torch::jit::Module& module, const Coupling& coupling, const Plan& plan);

/// Branches that the example inputs did not take and that read channels which the plan removes: the pruned
/// network may fail there, and no check has seen it.
std::vector<std::string> branch_notes(const Coupling& coupling, const Plan& plan);

/// Sets the plan's slices of parameters and of these buffers to zero (zero_slices in surgery.h says which
/// stay).
void zero_removed(torch::jit::Module& module, const Plan& plan, const std::set<std::string>& buffers = {});

/// Makes the module one of a new type, with the same tensors, whose forward method is this code. Copies of
/// the module share its type: they keep their code.
void install_forward(torch::jit::Module& module, std::shared_ptr<torch::jit::Graph> code);

}  // namespace mtlprune
