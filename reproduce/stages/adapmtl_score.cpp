#include "reproduce/stages/adapmtl_score.h"

#include <map>

namespace mtlprune {
namespace {

using Reference = std::map<std::string, double>;  ///< by metric, in its unit

const std::map<std::string, Reference> kReferences = {{"resnet34",
                                                       {{"miou", 0.2525},
                                                        {"pixel_accuracy", 0.5773},
                                                        {"angle_mean", 17.2398},
                                                        {"angle_median", 14.9797},
                                                        {"within_11_25", 36.433},
                                                        {"within_22_5", 72.0786},
                                                        {"within_30", 85.2728},
                                                        {"abs_err", 0.5551},
                                                        {"rel_err", 0.2151},
                                                        {"delta1", 64.4659},
                                                        {"delta2", 89.8674},
                                                        {"delta3", 97.4203}}},
                                                      {"mobilenetv2",
                                                       {{"miou", 0.1849},
                                                        {"pixel_accuracy", 0.4864},
                                                        {"angle_mean", 17.7522},
                                                        {"angle_median", 16.2718},
                                                        {"within_11_25", 28.5603},
                                                        {"within_22_5", 73.9923},
                                                        {"within_30", 87.3249},
                                                        {"abs_err", 0.587},
                                                        {"rel_err", 0.2404},
                                                        {"delta1", 61.9075},
                                                        {"delta2", 87.4701},
                                                        {"delta3", 96.1797}}}};

}  // namespace

std::vector<std::string> adapmtl_references() {
    std::vector<std::string> names;
    for (const auto& [name, reference] : kReferences) names.push_back(name);
    return names;
}

double adapmtl_score(const Evaluation& evaluation, const std::string& reference) {
    double sum = 0;
    for (const auto& [name, dense] : kReferences.at(reference)) {
        const auto& metric = evaluation.metric(name);
        const bool of_segmentation = name == "miou" || name == "pixel_accuracy";
        const double share = metric.value / dense * (of_segmentation ? 0.5 : 1.0);
        sum += metric.higher_is_better ? share : -share;
    }
    return sum / 3;
}

}  // namespace mtlprune
