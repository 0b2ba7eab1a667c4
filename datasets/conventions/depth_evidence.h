// Units of depth, and which one the depths of some frames are in.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// "metres", "centimetres", "millimetres".
const std::vector<std::string>& depth_units();

/// Metres in one unit. Throws Error naming `place` and the nearest for another name.
float metres_in(const std::string& unit, const std::string& place);

/// What the depths of some frames say about their unit.
struct DepthVerdict {
    double median = 0.0;  ///< of the pixels that have depth; 0 = none have
    bool metres = true;   ///< false: these are no metres
    std::vector<std::string>
        units;  ///< not metres: which they may be, best first; one = certain, none = no known one
};

/// `depths` CV_32FC1, taken as metres, 0 = missing. `indoors`: rooms, whose depths have a median between 0.3
/// and 20 m; elsewhere only medians above 1000 m are no metres.
DepthVerdict depth_verdict(const std::vector<cv::Mat>& depths, bool indoors);

}  // namespace mtlprune
