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
        if (option.name == "pools") choice.options["pools"] = 2;
        if (option.name == "hidden") choice.options["hidden"] = 6;
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

/// "vgg16_smallaspp", for test names.
inline std::string short_name(const std::string& spec) {
    const auto parsed = parse_model_spec(spec, "test");
    return parsed.backbone.key + "_" + parsed.head.key;
}

}  // namespace mtlprune
