// Every network that can be put together from the registries, as small as their options allow.
#pragma once

#include <string>
#include <vector>

#include "models/model_spec.h"

namespace mtlprune {

/// The entry's key with the usual options for size, where it has them.
inline std::string tiny(const Description& entry) {
    Choice choice{entry.key};
    for (const auto& option : entry.options) {
        if (option.name == "width") choice.options["width"] = 0.0625;
        if (option.name == "base") choice.options["base"] = 4;
        if (option.name == "depth") choice.options["depth"] = 4;
        if (option.name == "depths") choice.options["depths"] = {1, 1, 1, 1};
        if (option.name == "layer_scale") choice.options["layer_scale"] = 1.0;
        if (option.name == "pools") choice.options["pools"] = 2;
        if (option.name == "hidden") choice.options["hidden"] = 6;
        if (option.name == "dropout") choice.options["dropout"] = 0.0;
    }
    return choice_text(choice);
}

/// Whether the head can read the backbone's maps.
inline bool fits(const std::string& backbone, const std::string& head) {
    if (head == "mtan") return backbone == "segnet";
    if (head == "dpt") return backbone == "vit_s16";
    if (head == "unet") return backbone != "vgg16" && backbone != "vit_s16" && backbone != "toy";
    return true;
}

inline std::vector<std::string> tiny_model_specs() {
    std::vector<std::string> specs;
    for (const auto& backbone : backbones().entries())
        for (const auto& head : heads().entries())
            if (fits(backbone.key, head.key)) specs.push_back(tiny(backbone) + "/" + tiny(head));
    return specs;
}

/// Of a small image on which no map of the network is a single position, so that batch norms can train.
inline int64_t tiny_side(const std::string& spec) {
    int64_t side = 16;
    for (const auto& map : backbones().make(parse_model_spec(spec, "test").backbone)->maps())
        side = std::max(side, 2 * map.stride);
    return side;
}

/// "vgg16_smallaspp", for test names.
inline std::string short_name(const std::string& spec) {
    const auto parsed = parse_model_spec(spec, "test");
    return parsed.backbone.key + "_" + parsed.head.key;
}

}  // namespace mtlprune
