#include "models/layers/autocast.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

namespace mtlprune {
namespace {

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)

bool casts(torch::DeviceType device) {
    return at::autocast::is_autocast_enabled(device);
}

torch::ScalarType cast_type(torch::DeviceType device) {
    return at::autocast::get_autocast_dtype(device);
}

void set_casts(torch::DeviceType device, bool enabled, torch::ScalarType type) {
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, type);
}

#else

bool casts(torch::DeviceType device) {
    return device == torch::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}

torch::ScalarType cast_type(torch::DeviceType device) {
    return device == torch::kCPU ? at::autocast::get_autocast_cpu_dtype()
                                 : at::autocast::get_autocast_gpu_dtype();
}

void set_casts(torch::DeviceType device, bool enabled, torch::ScalarType type) {
    if (device == torch::kCPU) {
        at::autocast::set_cpu_enabled(enabled);
        at::autocast::set_autocast_cpu_dtype(type);
    } else {
        at::autocast::set_enabled(enabled);
        at::autocast::set_autocast_gpu_dtype(type);
    }
}

#endif

}  // namespace

bool autocasting(const torch::Tensor& x) {
    return (x.is_cpu() || x.is_cuda()) && casts(x.device().type());
}

Autocast::Autocast(torch::Device device, torch::ScalarType type)
    : device_(device.type()), enabled_before_(casts(device_)), type_before_(cast_type(device_)) {
    at::autocast::increment_nesting();
    set_casts(device_, true, type);
}

Autocast::~Autocast() {
    // The cache holds cast copies of weights, which an optimiser is about to change.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    set_casts(device_, enabled_before_, type_before_);
}

}  // namespace mtlprune
