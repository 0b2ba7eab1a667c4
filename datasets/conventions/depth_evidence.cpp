#include "datasets/conventions/depth_evidence.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json_reader.h"

namespace mtlprune {
namespace {

constexpr double kFarthestRoom = 20.0, kFarthestScene = 1000.0;
constexpr double kNearMedian = 0.7, kFarMedian = 10.0;  // in metres, of rooms

float median_of(const std::vector<cv::Mat>& depths) {
    std::vector<float> values;
    for (const cv::Mat& depth : depths)
        for (int y = 0; y < depth.rows; ++y) {
            const float* row = depth.ptr<float>(y);
            std::copy_if(row, row + depth.cols, std::back_inserter(values),
                         [](float v) { return v > 0.0f && std::isfinite(v); });
        }
    if (values.empty()) return 0.0f;
    const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

const std::vector<std::string>& depth_units() {
    static const std::vector<std::string> units = {"metres", "centimetres", "millimetres"};
    return units;
}

float metres_in(const std::string& unit, const std::string& place) {
    constexpr float kMetres[] = {1.0f, 0.01f, 0.001f};
    const auto& units = depth_units();
    const auto found = std::find(units.begin(), units.end(), unit);
    if (found == units.end())
        throw Error("depth", place, "metres, centimetres or millimetres",
                    "'" + unit + "'" + did_you_mean(unit, units));
    return kMetres[found - units.begin()];
}

DepthVerdict depth_verdict(const std::vector<cv::Mat>& depths, bool indoors) {
    DepthVerdict verdict;
    verdict.median = median_of(depths);
    verdict.metres = verdict.median <= (indoors ? kFarthestRoom : kFarthestScene);
    if (verdict.metres) return verdict;
    for (const char* unit : {"millimetres", "centimetres"}) {
        const double metres = verdict.median * metres_in(unit, "depth unit");
        if (metres >= kNearMedian && metres <= kFarMedian) verdict.units.emplace_back(unit);
    }
    if (!indoors && verdict.units.empty()) verdict.units.emplace_back("millimetres");
    return verdict;
}

}  // namespace mtlprune
