// One event of PAGCP: a greedy walk over the groups, and which of its results are kept.
#pragma once

#include "pruning/search/search.h"

namespace mtlprune {

struct PagcpOptions {
    double rate = 0.06, rate_slope = 0.0;     ///< the first group's allowance, and what an event adds to it
    double factor = 6.0, factor_slope = 0.0;  ///< the same of the product of all 1 + allowance
    bool growing = true;                      ///< allowances multiply to the factor
    double topk = 0.8;
    bool binary = false;
    bool empty_candidates = false, dense_when_all_pass = false, skipped_keep_rate = false;
};

/// Groups are visited by the MACs that 30 % of their channels cost, the most first where allowances do not
/// grow on the way. Each loses the largest ratio at which no task's loss is above 1 + allowance times what it
/// was, or has become by the groups before. Of the groups that lose channels the share `topk` (of all) with
/// the smallest rise of the losses' sum per MAC do so.
Allocation pagcp_round(const SearchSubject& subject, const PagcpOptions& options);

}  // namespace mtlprune
