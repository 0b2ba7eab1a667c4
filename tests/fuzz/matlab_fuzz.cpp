// MATLAB files of version 5: numbers and strings read, or refused with an Error.
#include <cstdint>

#include "base/error.h"
#include "datasets/codecs/matlab_v5.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const mtlprune::MemoryFile file(data, size);
    try {
        for (const int64_t value : mtlprune::read_matlab_integers(file.path(), "values", 0, 1000))
            if (value < 0 || value > 1000) __builtin_trap();
    } catch (const mtlprune::Error&) {
    }
    try {
        mtlprune::read_matlab_strings(file.path(), "names");
    } catch (const mtlprune::Error&) {
    }
    return 0;
}
