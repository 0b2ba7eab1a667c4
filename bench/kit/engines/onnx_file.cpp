#include "bench/kit/engines/onnx_file.h"

#include <fmt/format.h>

#include <sstream>

#include "base/atomic_file.h"
#include "bench/kit/engines/bench_python.h"
#include "bench/kit/line_process.h"
#include "bench/kit/scratch_folder.h"
#include "models/weights/torchscript.h"

namespace mtlprune {

std::string missing_onnx() {
    return missing_python({"torch"});
}

std::filesystem::path onnx_file(Model& model, const torch::Tensor& image) {
    std::ostringstream script;
    to_torchscript(model, image).save(script);
    const auto bytes = std::move(script).str();
    const auto shape = fmt::format("{}", fmt::join(image.sizes(), "x"));
    const auto name = fmt::format("{}_{}", sha256_hex(bytes), shape);
    const auto network = scratch_folder() / fmt::format("{}.onnx", name);
    if (std::filesystem::exists(network)) return network;
    const auto source = scratch_folder() / fmt::format("{}.pt", name);
    write_file_atomically(source, bytes);
    LineProcess writer("ONNX file", bench_script("to_onnx.py", {source, shape, network}));
    writer.read_line();
    std::filesystem::remove(source);
    return network;
}

}  // namespace mtlprune
