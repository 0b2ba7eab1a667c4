#include "reproduce/stages/selection.h"

#include "training/tasks/task_type.h"

namespace mtlprune {

double Selection::score(const Evaluation& evaluation) const {
    if (metric.empty()) return -evaluation.total_loss();
    const auto& found = evaluation.metric(metric);
    return found.higher_is_better ? found.value : -found.value;
}

std::vector<std::string> selection_words() {
    std::vector<std::string> words = {"last", "best_loss", "paper"};
    for (const auto* type : task_types())
        for (const auto& metric : type->metrics({"", type->kind(), 1}))
            for (const char* prefix : {"best_", "paper_"}) words.push_back(prefix + metric.name);
    return words;
}

Selection selection_of(const std::string& word) {
    Selection selection{.word = word, .is_last = word == "last", .on_test = word.starts_with("paper")};
    const auto underscore = word.find('_');
    if (underscore != std::string::npos && word != "best_loss")
        selection.metric = word.substr(underscore + 1);
    return selection;
}

}  // namespace mtlprune
