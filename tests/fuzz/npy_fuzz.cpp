// NumPy arrays: read, or refused with an Error.
#include <cstdint>

#include "base/error.h"
#include "datasets/codecs/npy.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const mtlprune::MemoryFile file(data, size);
    try {
        const cv::Mat array = mtlprune::read_npy(file.path());
        if (array.type() != CV_32FC1 || array.total() * 4 > 4 * size) __builtin_trap();
    } catch (const mtlprune::Error&) {
    }
    return 0;
}
