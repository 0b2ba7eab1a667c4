// Everything that is promised to users of the library: only the headers named here (and what they include)
// are installed. All names are in namespace mtlprune; bad input throws mtlprune::Error.
#pragma once

#include "mtlprune/version.h"

#include "base/error.h"

// Data: what tasks, frames and batches are; data sets by name; batches in worker threads.
#include "datasets/contract/batch.h"
#include "datasets/contract/sample.h"
#include "datasets/contract/task.h"
#include "datasets/layouts/open_dataset.h"
#include "datasets/pipeline/loader.h"

// Models with one prediction per task, by text; what a program that computes for long calls first.
#include "models/backbones/backbone.h"
#include "models/heads/head.h"
#include "models/model.h"
#include "models/model_spec.h"
#include "models/process_setup.h"

// Training: the loop and its callbacks, losses, gradients per task, task weightings, optimisers, metrics,
// checkpoints.
#include "training/callbacks/finite_guard.h"
#include "training/callbacks/subnormal_counts.h"
#include "training/callbacks/weight_average.h"
#include "training/checkpoint.h"
#include "training/evaluate.h"
#include "training/learning_rate.h"
#include "training/losses.h"
#include "training/metrics.h"
#include "training/optimizer.h"
#include "training/task_gradients.h"
#include "training/trainer.h"
#include "training/update_options.h"
#include "training/weighting/task_weighting.h"

// Pruning any module or file, at once or in steps: everything together, or trace -> groups -> scores ->
// selection -> plan -> surgery.
#include "pruning/allocation/allocation.h"
#include "pruning/cost/cost.h"
#include "pruning/coupling/groups.h"
#include "pruning/criteria/criterion.h"
#include "pruning/graph/traced_graph.h"
#include "pruning/network/network.h"
#include "pruning/network/prune.h"
#include "pruning/network/pruner.h"
#include "pruning/surgery/plan.h"
#include "pruning/surgery/surgery.h"

// Pruning while training, what makes channels small before, and masks of single weights.
#include "pruning/masks/weight_mask_training.h"
#include "pruning/regularizers/regularizer.h"
#include "pruning/schedules/iterative_pruner.h"
