#include "datasets/pipeline/frame_subset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mtlprune {

std::string FrameSubset::description() const {
    return fmt::format("{}, {} ({} frames)", source_->description(), what_, size());
}

HeldOut hold_out(int64_t size, double share) {
    constexpr int64_t kRuns = 10;
    if (size < 2)
        throw Error("data set", "frames to hold some out for validation", "at least 2", std::to_string(size));
    const int64_t wanted = std::clamp<int64_t>(std::llround(share * static_cast<double>(size)), 1, size - 1);
    const int64_t runs = std::min(kRuns, wanted);
    HeldOut split;
    for (int64_t run = 0; run < runs; ++run) {
        const int64_t first = run * size / runs, end = (run + 1) * size / runs;
        // The middle of each part, so that neither end of the data set is always on one side.
        const int64_t length = std::min((run + 1) * wanted / runs - run * wanted / runs, end - first);
        const int64_t begin = first + (end - first - length) / 2;
        for (int64_t frame = first; frame < end; ++frame)
            (frame >= begin && frame < begin + length ? split.held_out : split.rest).push_back(frame);
    }
    return split;
}

}  // namespace mtlprune
