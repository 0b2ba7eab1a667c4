#include "reproduce/stages/selection.h"

#include "reproduce/stages/adapmtl_score.h"
#include "training/tasks/task_type.h"

namespace mtlprune {
namespace {

const std::string kAdapmtl = "adapmtl_";

}  // namespace

double Selection::score(const Evaluation& evaluation) const {
    if (!adapmtl_reference.empty()) return adapmtl_score(evaluation, adapmtl_reference);
    if (metric.empty()) return -evaluation.total_loss();
    const auto& found = evaluation.metric(metric);
    return found.higher_is_better ? found.value : -found.value;
}

std::vector<std::string> selection_words() {
    std::vector<std::string> words = {"last", "best_loss", "paper"};
    for (const auto* type : task_types())
        for (const auto& metric : type->metrics({"", type->kind(), 1}))
            for (const char* prefix : {"best_", "paper_"}) words.push_back(prefix + metric.name);
    for (const auto& reference : adapmtl_references())
        for (const char* prefix : {"best_", "paper_"}) words.push_back(prefix + kAdapmtl + reference);
    return words;
}

Selection selection_of(const std::string& word) {
    Selection selection{.word = word, .is_last = word == "last", .on_test = word.starts_with("paper")};
    const auto underscore = word.find('_');
    if (underscore == std::string::npos || word == "best_loss") return selection;
    selection.metric = word.substr(underscore + 1);
    if (selection.metric.starts_with(kAdapmtl)) {
        selection.adapmtl_reference = selection.metric.substr(kAdapmtl.size());
        selection.metric.clear();
    }
    return selection;
}

}  // namespace mtlprune
