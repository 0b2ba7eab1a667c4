#include "datasets/contract/sample.h"

namespace mtlprune {

std::vector<Error> Dataset::problems(int64_t index) const {
    try {
        get(index);
    } catch (const Error& error) {
        return {error};
    } catch (const std::exception& error) {
        return {Error("frame", id(index), "a frame that can be decoded", error.what())};
    }
    return {};
}

}  // namespace mtlprune
