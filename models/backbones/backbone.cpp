#include "models/backbones/backbone.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

// One line per backbone; `name` is defined in a file of its own as `Registry<Backbone>::Entry
// name_backbone()`.
#define MTLPRUNE_BACKBONES(ENTRY) \
    ENTRY(vgg16)                  \
    ENTRY(resnet18)               \
    ENTRY(resnet34)               \
    ENTRY(resnet50)               \
    ENTRY(deeplab_resnet34)       \
    ENTRY(mobilenetv2)            \
    ENTRY(densenet121)            \
    ENTRY(resnet20)               \
    ENTRY(resnet56)               \
    ENTRY(lenet5)                 \
    ENTRY(lenet300)               \
    ENTRY(mlp)                    \
    ENTRY(segnet)                 \
    ENTRY(unet)                   \
    ENTRY(convnext_t)             \
    ENTRY(vit_s16)

namespace mtlprune {

#define MTLPRUNE_DECLARE(name) Registry<Backbone>::Entry name##_backbone();
MTLPRUNE_BACKBONES(MTLPRUNE_DECLARE)
#undef MTLPRUNE_DECLARE

Registry<Backbone>& backbones() {
    static Registry<Backbone> all = [] {
        Registry<Backbone> registry("backbone");
#define MTLPRUNE_ADD(name) registry.add(name##_backbone());
        MTLPRUNE_BACKBONES(MTLPRUNE_ADD)
#undef MTLPRUNE_ADD
        return registry;
    }();
    return all;
}

int64_t scaled_channels(int64_t full, double width) {
    if (!(width > 0) || !std::isfinite(width))
        throw Error("backbone", "width", "a number above 0", fmt::format("{}", width));
    return std::max<int64_t>(1, std::llround(width * static_cast<double>(full)));
}

void Backbone::set_gates(const std::vector<torch::Tensor>& gates) {
    if (!gates.empty())
        throw Error("model", "gates", "a backbone that was released with gates (vgg16)", "another");
}

}  // namespace mtlprune
