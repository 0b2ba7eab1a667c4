#include "reproduce/results/figure_stages.h"

#include <fmt/format.h>

#include "base/json_reader.h"

namespace mtlprune {

FigureStages read_figure_stages(const nlohmann::json& json, const std::string& place) {
    JsonReader reader(json, place);
    FigureStages figures;
    figures.constant = reader.require<std::string>("constant");
    figures.dense = reader.require<std::string>("dense");
    for (const auto& entry : reader.require<std::vector<nlohmann::json>>("iterative")) {
        JsonReader curve(entry, place + ": iterative");
        figures.iterative.push_back(
            {curve.require<std::string>("strategy"), curve.require<std::string>("stage")});
        curve.finish();
    }
    for (const auto& entry : reader.get<std::vector<nlohmann::json>>("retrained", {})) {
        JsonReader retrained(entry, place + ": retrained");
        figures.retrained.push_back({retrained.require<int64_t>("configuration"),
                                     retrained.require<std::string>("strategy"),
                                     retrained.require<std::string>("stage")});
        retrained.finish();
    }
    reader.finish();
    return figures;
}

nlohmann::json figure_stages_to_json(const FigureStages& figures) {
    auto iterative = nlohmann::json::array(), retrained = nlohmann::json::array();
    for (const auto& curve : figures.iterative)
        iterative.push_back({{"strategy", curve.strategy}, {"stage", curve.stage}});
    for (const auto& entry : figures.retrained)
        retrained.push_back(
            {{"configuration", entry.configuration}, {"strategy", entry.strategy}, {"stage", entry.stage}});
    return {{"constant", figures.constant},
            {"dense", figures.dense},
            {"iterative", iterative},
            {"retrained", retrained}};
}

}  // namespace mtlprune
