// The pickle of a file of weights: tensors, or one error.
#include <string>

#include "base/error.h"
#include "models/weights/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    size_t end = 0;
    try {
        mtlprune::read_state_dict_pickle(bytes, "fuzzed", end);
    } catch (const mtlprune::Error&) {
    }
    try {
        mtlprune::read_list_pickle(bytes, "fuzzed", end);
    } catch (const mtlprune::Error&) {
    }
    return 0;
}
