// idx arrays, gzip-compressed or plain: read, or refused with an Error.
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "datasets/codecs/gzip.h"
#include "datasets/codecs/idx_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<uint8_t> bytes(data, data + size);
    try {
        if (mtlprune::is_gzip(bytes)) bytes = mtlprune::gunzip(bytes, "input");
        const size_t dimensions = size % 2 == 0 ? 3 : 1;
        const auto array = mtlprune::parse_idx(bytes, dimensions, "input");
        size_t values = 1;
        for (const int64_t length : array.shape) values *= static_cast<size_t>(length);
        if (array.shape.size() != dimensions || values != array.values.size()) __builtin_trap();
    } catch (const mtlprune::Error&) {
    }
    return 0;
}
