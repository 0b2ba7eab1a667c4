#include "reproduce/analysis/size_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace mtlprune {

SizeCurve::SizeCurve(std::vector<std::pair<double, double>> points) {
    if (points.empty()) throw Error("size curve", "points", "at least one", "none");
    std::sort(points.begin(), points.end());
    if (!(points.front().first > 0))
        throw Error("size curve", "size", "a positive number", fmt::format("{}", points.front().first));
    for (size_t first = 0; first < points.size();) {
        double sum = 0;
        size_t end = first;
        while (end < points.size() && points[end].first == points[first].first) sum += points[end++].second;
        sizes_.push_back(points[first].first);
        values_.push_back(sum / static_cast<double>(end - first));
        first = end;
    }
}

double SizeCurve::at(double size) const {
    if (!(size >= smallest() && size <= largest()))
        throw Error("size curve", "size", fmt::format("within [{}, {}]", smallest(), largest()),
                    fmt::format("{}", size));
    const auto right = std::lower_bound(sizes_.begin(), sizes_.end(), size);
    const size_t high = static_cast<size_t>(right - sizes_.begin());
    if (*right == size) return values_[high];
    const size_t low = high - 1;
    const double weight = std::log(size / sizes_[low]) / std::log(sizes_[high] / sizes_[low]);
    return (1 - weight) * values_[low] + weight * values_[high];
}

std::vector<double> logarithmic_grid(double low, double high, int count) {
    if (count < 2) throw Error("size grid", "count", "at least 2", std::to_string(count));
    std::vector<double> grid(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
        const double sample = std::exp(std::log(low) + (std::log(high) - std::log(low)) * i / (count - 1));
        grid[static_cast<size_t>(i)] = std::clamp(sample, low, high);
    }
    grid.front() = low;
    grid.back() = high;
    return grid;
}

}  // namespace mtlprune
