// Every network that can be put together from the registries, as small as their options allow.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "models/model_spec.h"

namespace mtlprune {

/// The entry's key with the usual options for size, where it has them.
inline std::string tiny(const Description& entry) {
    Choice choice{entry.key};
    for (const auto& option : entry.options) {
        if (option.name == "base") choice.options["base"] = 4;
        if (option.name == "depth") choice.options["depth"] = 4;
        if (option.name == "depths") choice.options["depths"] = {1, 1, 1, 1};
        if (option.name == "layer_scale") choice.options["layer_scale"] = 1.0;
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

/// Whether the head can read the backbone's maps.
inline bool fits(const std::string& backbone, const std::string& head) {
    if (head == "mtan") return backbone == "segnet";
    if (head == "dpt") return backbone == "vit_s16";
    // Networks with one map, or maps of one size.
    static const std::set<std::string> flat = {"vgg16", "vit_s16", "lenet5", "lenet300", "mlp", "toy"};
    return head != "unet" || !flat.contains(backbone);
}

inline std::vector<std::string> tiny_model_specs() {
    std::vector<std::string> specs;
    for (const auto& backbone : backbones().entries())
        for (const auto& head : heads().entries())
            if (fits(backbone.key, head.key)) specs.push_back(tiny(backbone) + "/" + tiny(head));
    return specs;
}

/// Of the smallest image that the backbone takes and on which no map of it is a single position, so that
/// batch norms can train.
inline int64_t tiny_side(const std::string& spec) {
    const auto backbone = parse_model_spec(spec, "test").backbone;
    if (backbone.options.contains("size")) return backbone.options.at("size").get<int64_t>();
    int64_t side = 16;
    for (const auto& map : backbones().make(backbone)->maps()) side = std::max(side, 2 * map.stride);
    return side;
}

/// "vgg16_smallaspp", for test names.
inline std::string short_name(const std::string& spec) {
    const auto parsed = parse_model_spec(spec, "test");
    return parsed.backbone.key + "_" + parsed.head.key;
}

}  // namespace mtlprune
