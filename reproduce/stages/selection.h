// Which of a training's evaluations is reported.
#pragma once

#include <string>
#include <vector>

#include "training/evaluate.h"

namespace mtlprune {

/// "last": the end of the training. "best_loss" or "best_<metric>": the best on the frames that are held out
/// of training. "paper" or "paper_<metric>": the lowest loss or the best metric on the test split, as in the
/// paper's code, whose numbers are therefore better than those of unseen images. "best_adapmtl_<reference>"
/// and "paper_adapmtl_<reference>": the same by the score of adapmtl_score.h.
struct Selection {
    std::string word = "last";
    bool is_last = true;
    bool on_test = false;
    std::string metric = {};             ///< empty: the sum of the losses
    std::string adapmtl_reference = {};  ///< not empty: AdapMTL's score in the place of a metric

    /// Of an evaluation, higher is better. Throws Error for a metric that it does not have.
    double score(const Evaluation& evaluation) const;
};

/// Every word: metrics are those of any kind of task, under their plain names.
std::vector<std::string> selection_words();

/// Of one of the words.
Selection selection_of(const std::string& word);

}  // namespace mtlprune
