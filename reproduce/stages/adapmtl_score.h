// By what AdapMTL chooses a network: metrics relative to those of a dense one.
#pragma once

#include <string>
#include <vector>

#include "training/evaluate.h"

namespace mtlprune {

/// Names of the dense networks whose metrics on NYUv2 the released code divides by: "resnet34",
/// "mobilenetv2".
std::vector<std::string> adapmtl_references();

/// Mean over NYUv2's three tasks of their metrics over the reference's: for segmentation half the sum, for
/// normals and depth the sum with what should be small subtracted. Higher is better; the reference itself has
/// 1. Throws Error when a metric is missing.
/// Source: released code of Xiang et al., AdapMTL (2024); in the weights that it gives to metrics the
/// constants matter, so they are those of the release for any network.
double adapmtl_score(const Evaluation& evaluation, const std::string& reference);

}  // namespace mtlprune
