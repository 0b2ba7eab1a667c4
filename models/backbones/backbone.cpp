#include "models/backbones/backbone.h"

// One line per backbone; `name` is defined in a file of its own as `Registry<Backbone>::Entry
// name_backbone()`.
#define MTLPRUNE_BACKBONES(ENTRY) ENTRY(vgg16) ENTRY(segnet) ENTRY(unet) ENTRY(convnext_t) ENTRY(vit_s16)

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

void Backbone::set_gates(const std::vector<torch::Tensor>& gates) {
    if (!gates.empty())
        throw Error("model", "gates", "a backbone that was released with gates (vgg16)", "another");
}

}  // namespace mtlprune
