// A metric as a function of network size.
#pragma once

#include <utility>
#include <vector>

namespace mtlprune {

/// Points (size, value) joined by straight lines over the logarithm of the size.
class SizeCurve {
  public:
    /// Points in any order; values at equal sizes are averaged. Throws Error without points or on a size <=
    /// 0.
    explicit SizeCurve(std::vector<std::pair<double, double>> points);

    double smallest() const { return sizes_.front(); }
    double largest() const { return sizes_.back(); }

    /// Value at `size`; throws Error outside [smallest, largest] (no extrapolation).
    double at(double size) const;

  private:
    std::vector<double> sizes_;  // ascending, distinct
    std::vector<double> values_;
};

/// `count` >= 2 sizes from low to high, evenly spaced in the logarithm, ends exact.
std::vector<double> logarithmic_grid(double low, double high, int count);

}  // namespace mtlprune
