#include "training/flush_denormals.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <limits>

#include "base/error.h"

namespace mtlprune {
namespace {

/// The switch is one of each thread.
bool set_in_all_threads(bool flush) {
    std::atomic<bool> possible = at::globalContext().setFlushDenormal(flush);
    at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
        if (!at::globalContext().setFlushDenormal(flush)) possible = false;
    });
    return possible;
}

}  // namespace

bool flushes_denormals() {
    volatile float smallest = std::numeric_limits<float>::min();
    volatile float half = 0.5F * smallest;
    return half == 0.0F;
}

FlushDenormals::FlushDenormals(bool wanted) {
    if (!wanted || flushes_denormals()) return;
    if (!set_in_all_threads(true))
        throw Error("configuration", "flush_denormals", "false (this processor has no such switch)", "true");
    changed_ = true;
}

FlushDenormals::~FlushDenormals() {
    if (changed_) set_in_all_threads(false);
}

}  // namespace mtlprune
