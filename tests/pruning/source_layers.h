// Layers of the small networks that are written as TorchScript source.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mtlprune::toy {

using Shape = std::vector<int64_t>;

struct SourceTensor {
    std::string name;  ///< within its layer
    Shape shape;
    bool is_buffer = false;
    bool is_zero = false;
};

/// A submodule. Its methods are source text that speaks of `self.weight` and so on.
struct Layer {
    std::string name;  ///< empty: the tensors belong to the network itself
    std::vector<SourceTensor> tensors;
    std::string body;  ///< statements of forward(self, x)
    /// The same layer computed densely over the channels whose scale is not zero; empty: the body. A channel
    /// that enters a normalisation across channels cannot be removed by zeroing it, this leaves it out.
    std::string masked_body;
};

// Convolutions keep the image's size when the kernel is odd.
Layer conv(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1, int64_t groups = 1);
Layer conv1d(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1, int64_t groups = 1);
Layer conv3d(const std::string& name, int64_t in, int64_t out, int64_t kernel = 1, int64_t groups = 1);
Layer strided_conv(const std::string& name, int64_t in, int64_t out, int64_t stride);  ///< kernel = stride
Layer transposed_conv(const std::string& name, int64_t in, int64_t out, int64_t stride, int64_t groups = 1);
Layer linear(const std::string& name, int64_t in, int64_t out);
Layer batch_norm(const std::string& name, int64_t channels);
Layer instance_norm(const std::string& name, int64_t channels, bool running_statistics = false);
Layer group_norm(const std::string& name, int64_t channels, int64_t groups);
Layer layer_norm(const std::string& name, const Shape& shape);
Layer written_layer_norm(const std::string& name, int64_t channels);  ///< over axis 1 of an image
Layer response_norm(const std::string& name, int64_t channels);       ///< "global response normalisation"
Layer rms_norm(const std::string& name, int64_t channels, const std::string& square = "x * x");
/// Norms over the channels of an image that are written out, each in another way; `form` counts them.
struct WrittenNorm {
    const char* name;
    const char* body;          ///< x becomes the normalised x, before scale and shift
    const char* axes = "[1]";  ///< of the statistics
    bool centred = true;
    int correction = 0;
    bool epsilon_outside = false;  ///< added to the root, not below it
};
const std::vector<WrittenNorm>& written_norms();
Layer written_norm(const std::string& name, int64_t channels, const WrittenNorm& form);
/// Every filter is centred and scaled to its gain before it is used.
Layer standardised_conv(const std::string& name, int64_t in, int64_t out, int64_t kernel,
                        bool by_batch_norm = true);
Layer prelu(const std::string& name, int64_t channels);
Layer embedding(const std::string& name, int64_t count, int64_t width);
Layer lstm(const std::string& name, int64_t in, int64_t hidden, int64_t layers = 1,
           bool bidirectional = false);
Layer gru(const std::string& name, int64_t in, int64_t hidden, int64_t layers = 1,
          bool bidirectional = false);
Layer parameter(const std::string& name, const Shape& shape);
Layer buffer(const std::string& name, const Shape& shape);
Layer zeros(const std::string& name, const Shape& shape);  ///< a buffer

}  // namespace mtlprune::toy
