// Streams of packed labels of each type: read, or refused with an Error.
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "datasets/packed/label_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::vector<uint8_t> stream(data, data + size);
    for (const int type : {CV_8UC1, CV_8UC3, CV_32FC1, CV_32FC3}) try {
            if (mtlprune::decode_labels(stream, type, "input").type() != type) __builtin_trap();
        } catch (const mtlprune::Error&) {
        }
    return 0;
}
