#include "datasets/pipeline/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace mtlprune {

void parallel_for(int64_t count, int threads, const std::function<void(int64_t)>& work) {
    std::atomic<int64_t> next = 0;
    std::atomic<bool> failed = false;
    std::mutex mutex;
    std::exception_ptr first;
    const auto run = [&] {
        for (int64_t i = next++; i < count && !failed; i = next++) {
            try {
                work(i);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!first) first = std::current_exception();
                failed = true;
            }
        }
    };
    {
        std::vector<std::jthread> others;
        for (int64_t i = 1; i < std::min<int64_t>(threads, count); ++i) others.emplace_back(run);
        run();
    }
    if (first) std::rethrow_exception(first);
}

}  // namespace mtlprune
