// Lists of buildings, plain or in a zip archive: names of folders, or refused with an Error.
#include <cstdint>

#include "base/error.h"
#include "datasets/layouts/taskonomy/taskonomy_splits.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const mtlprune::MemoryFile file(data, size);
    try {
        const auto buildings = mtlprune::taskonomy_buildings(file.path(), "tiny", "train");
        if (buildings.empty()) __builtin_trap();
        for (const auto& name : buildings)
            if (name.empty() || name == ".." || name.find('/') != std::string::npos) __builtin_trap();
    } catch (const mtlprune::Error&) {
    }
    return 0;
}
