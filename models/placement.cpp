#include "models/placement.h"

namespace mtlprune {

void place(torch::nn::Module& module, torch::Device device) {
    module.to(device);
    if (!device.is_cuda()) return;
    const torch::NoGradGuard no_grad;
    for (auto& parameter : module.parameters())
        if (parameter.dim() == 4)
            parameter.set_data(parameter.detach().contiguous(torch::MemoryFormat::ChannelsLast));
}

}  // namespace mtlprune
