// Criteria for tests of properties: all that are registered, and forms of them that compute something else.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "pruning/criteria/criterion.h"

namespace mtlprune {

inline std::vector<std::string> criteria_and_forms() {
    auto all = criteria().keys();
    for (const char* form :
         {"taylor:momentum=0.9,window=true,accumulate_gates=false",
          "taylor_bn:momentum=0.9",
          "taylor_weight:form=squared,members=producers,average=scores,normaliser=none,momentum=0.9",
          "taylor_weight:form=multivariable",
          "task_taylor:combine=rank",
          "task_taylor:combine=sum,task_normaliser=layer",
          "snip:form=sum",
          "snip:form=mean,task_norm=false",
          "snip:absolute_batches",
          "cosprune:of_averages",
          "cosprune:zero_gradient=left_out,reversed",
          "cosprune:pair=[0,1],zero_gradient=first",
          "safe_pruning:penalising=multiply,protect=0.0",
          "safe_pruning:penalising=raw,aggregate=mean,absolute",
          "pfp:selection=random",
          "pfp:selection=hybrid",
          "taylor_second:draws=0",
          "taylor_second:form=curvature",
          "disparse:form=abs,norm=layer_l2",
          "disparse:form=gradient,vote=any,norm=mean",
          "disparse:form=magnitude,vote=majority"})
        all.emplace_back(form);
    return all;
}

/// What GoogleTest takes as a name.
inline std::string test_name(std::string criterion) {
    std::replace_if(
        criterion.begin(), criterion.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return criterion;
}

}  // namespace mtlprune
