// Passes of a model in training over one of its mini-batches.
#pragma once

#include "datasets/contract/batch.h"
#include "models/model.h"
#include "pruning/evidence/passes.h"
#include "training/fidelity.h"

namespace mtlprune {

/// Both must outlive it.
Passes model_passes(Model& model, const Batch& batch, Fidelity losses);

}  // namespace mtlprune
