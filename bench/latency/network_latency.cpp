#include "bench/latency/network_latency.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace mtlprune {

double NetworkLatency::layers(const std::vector<int64_t>& kept) const {
    double seconds = 0;
    for (const auto& layer : layers_)
        seconds += layer.table.at(layer.inputs.at(kept), layer.outputs.at(kept));
    return seconds;
}

double NetworkLatency::bytes(const std::vector<int64_t>& kept) const {
    double bytes = 0;
    for (const auto& layer : layers_)
        bytes += layer.bytes_per_output * static_cast<double>(layer.outputs.at(kept));
    return bytes;
}

void NetworkLatency::calibrate(const std::vector<std::pair<std::vector<int64_t>, double>>& measured) {
    if (measured.empty()) throw Error("latency", "calibration", "at least one measured network", "none");
    // Relative errors are what counts: every equation is divided by its seconds.
    double xx = 0, xy = 0, yy = 0, x = 0, y = 0;
    for (const auto& [kept, seconds] : measured) {
        const double l = layers(kept) / seconds, b = bytes(kept) / seconds;
        xx += l * l;
        xy += l * b;
        yy += b * b;
        x += l;
        y += b;
    }
    const double determinant = xx * yy - xy * xy;
    per_layer_second_ = x / xx;
    per_byte_ = 0;
    if (determinant <= 1e-9 * xx * yy) return;
    const double of_layers = (x * yy - y * xy) / determinant, of_bytes = (y * xx - x * xy) / determinant;
    if (of_layers >= 0 && of_bytes >= 0) {
        per_layer_second_ = of_layers;
        per_byte_ = of_bytes;
    } else if (of_layers < 0) {
        per_layer_second_ = 0;
        per_byte_ = y / yy;
    }
}

double NetworkLatency::predict(const std::vector<int64_t>& kept) const {
    return per_layer_second_ * layers(kept) + per_byte_ * bytes(kept);
}

NetworkLatency network_latency(const Coupling& coupling, const LatencySetting& setting,
                               const std::filesystem::path& folder,
                               const std::function<void(double)>& on_progress) {
    auto shapes = convolutions_of(coupling.graph);
    std::erase_if(shapes, [](const LayerShape& layer) { return layer.groups != 1; });
    std::vector<NetworkLatency::Layer> layers;
    for (auto& shape : shapes) {
        const auto done = [&](double share) {
            if (on_progress)
                on_progress((static_cast<double>(layers.size()) + share) /
                            static_cast<double>(shapes.size()));
        };
        shape.input[0] = setting.batch;
        const double pixels = static_cast<double>(shape.output_pixels() * setting.batch);
        layers.push_back({table_of(shape, setting, folder, done), coupling.sizes[shape.input_value].at(1),
                          coupling.sizes[shape.weight_value].at(0), 4 * pixels});
        done(0);
    }
    return NetworkLatency(std::move(layers));
}

}  // namespace mtlprune
