#include "models/backbones/image_size.h"

#include <fmt/format.h>

#include "base/error.h"

namespace mtlprune {

std::vector<Option> with_image_size(Option first) {
    return {std::move(first),
            {"input_channels", 3, "of the image, that are read: 1 is enough for grey ones"},
            {"size", 28, "height and width of the image"}};
}

ImageSize image_size(const std::string& backbone, const nlohmann::json& options, int64_t smallest) {
    const ImageSize size{options.at("input_channels").get<int64_t>(), options.at("size").get<int64_t>()};
    if (size.channels < 1 || size.channels > 3)
        throw Error("backbone " + backbone, "input_channels", "1..3", std::to_string(size.channels));
    if (size.side < smallest)
        throw Error("backbone " + backbone, "size", fmt::format("at least {}", smallest),
                    std::to_string(size.side));
    return size;
}

torch::Tensor sized_image(const std::string& backbone, const torch::Tensor& image, const ImageSize& size) {
    if (image.size(2) != size.side || image.size(3) != size.side)
        throw Error("backbone " + backbone, "image", fmt::format("{0} x {0}, its option size", size.side),
                    fmt::format("{} x {}", image.size(2), image.size(3)));
    return size.channels == image.size(1) ? image : image.narrow(1, 0, size.channels);
}

}  // namespace mtlprune
