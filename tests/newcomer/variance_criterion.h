#pragma once

#include "pruning/criteria/criterion.h"

namespace mtlprune {

Registry<Criterion>::Entry variance_criterion();

}  // namespace mtlprune
