// Lists of frames: four paths inside the folder per frame, or refused with an Error.
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "datasets/layouts/frame_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        const auto frames =
            mtlprune::parse_frame_list(text, {"list", "input"}, "train", {"a", "b", "c", "d"});
        if (frames.empty()) __builtin_trap();
        for (const auto& frame : frames) {
            if (frame.size() != 4) __builtin_trap();
            for (const auto& path : frame) {
                const auto normal = std::filesystem::path("/data").append(path).lexically_normal().string();
                if (normal.rfind("/data", 0) != 0) __builtin_trap();
            }
        }
    } catch (const mtlprune::Error&) {
    }
    return 0;
}
