// Every network that can be put together from the registries, as small as their options allow.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "models/model_spec.h"

namespace mtlprune {

/// The entry's key with the usual options for size, where it has them.
inline std::string tiny(const Description& entry) {
    Choice choice{entry.key};
    for (const auto& option : entry.options) {
        // The others have at least 64 channels somewhere.
        const bool of_cifar = entry.key == "resnet20" || entry.key == "resnet56";
        if (option.name == "width") choice.options["width"] = of_cifar ? 0.25 : 0.0625;
        if (option.name == "divisor") choice.options["divisor"] = 1;
        if (option.name == "blocks") choice.options["blocks"] = {2, 1, 2, 1};
        if (option.name == "size") choice.options["size"] = 16;
        if (option.name == "pools") choice.options["pools"] = 2;
        if (option.name == "hidden") {
            if (option.fallback.is_array())
                choice.options["hidden"] = {9, 8};
            else
                choice.options["hidden"] = 6;
        }
        if (option.name == "dropout") choice.options["dropout"] = 0.0;
    }
    return choice_text(choice);
}

inline std::vector<std::string> tiny_model_specs() {
    std::vector<std::string> specs;
    for (const auto& backbone : backbones().entries())
        for (const auto& head : heads().entries()) specs.push_back(tiny(backbone) + "/" + tiny(head));
    return specs;
}

/// Height and width of the smallest image of at least 16 pixels that fits the backbone's strides.
inline int64_t image_side(const std::string& spec) {
    int64_t side = 16;
    for (const auto& map : backbones().make(parse_model_spec(spec, "test").backbone)->maps())
        side = std::max(side, map.stride);
    return side;
}

/// "vgg16_smallaspp", for test names.
inline std::string short_name(const std::string& spec) {
    const auto parsed = parse_model_spec(spec, "test");
    return parsed.backbone.key + "_" + parsed.head.key;
}

}  // namespace mtlprune
