// How LibTorch's optimisers find the state of a parameter.
#pragma once

#include <torch/optim/optimizer.h>

#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

namespace mtlprune {

using OptimizerStateTable = std::decay_t<decltype(std::declval<torch::optim::Optimizer&>().state())>;

/// LibTorch 1.13 keys the table by the printed address of the parameter, 2.x by the address.
template <typename Key = OptimizerStateTable::key_type>
Key parameter_key(const torch::Tensor& parameter) {
    auto* const address = parameter.unsafeGetTensorImpl();
    if constexpr (std::is_same_v<Key, std::string>) {
        std::ostringstream text;
        text << address;
        return text.str();
    } else {
        return address;
    }
}

}  // namespace mtlprune
