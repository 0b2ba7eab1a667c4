// Runs independent pieces of work in several threads.
#pragma once

#include <cstdint>
#include <functional>

namespace mtlprune {

/// Calls work(0), ..., work(count - 1), each once, in `threads` threads (at least one; 1 = the calling
/// thread). After the first exception no new piece is started; it is rethrown when all threads have ended.
void parallel_for(int64_t count, int threads, const std::function<void(int64_t)>& work);

}  // namespace mtlprune
