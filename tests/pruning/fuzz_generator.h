// Builds random networks step by step.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/pruning/source_networks.h"

namespace mtlprune::toy {

inline constexpr int64_t kMostChannels = 24;

/// An image of 4 x 4 with this many channels.
struct Feature {
    std::string name;
    int64_t channels;
};

/// Draws from its seed which step comes next, and on which features.
class Generator {
  public:
    explicit Generator(uint64_t seed)
        : random_(seed * 7919 + 17), literals_(seed % 3 == 0), computes_sizes_(chance(75)) {
        network_.name = fmt::format("fuzz_{}", seed);
        network_.inputs = {{{2, 3, 4, 4}}};
        network_.has_literals = literals_;
        features_.push_back({"x", 3});
        add_convolution();
    }

    SourceNetwork network();

  private:
    int64_t below(int64_t n) { return static_cast<int64_t>(random_.below(n)); }
    bool chance(int64_t percent) { return below(100) < percent; }

    /// Recent features are used more often, so that networks grow deep.
    const Feature& any() {
        const auto count = static_cast<int64_t>(features_.size());
        return features_[chance(60) ? count - 1 : below(count)];
    }

    /// A size of the feature as code may write it: computed, so that others follow, or as a number.
    std::string size(const std::string& feature, int dim);
    /// Rows of 16 pixels back to the image that `like` is.
    std::string as_image(const std::string& rows, const std::string& like);

    std::string fresh(const char* prefix) { return fmt::format("{}{}", prefix, ++names_); }

    void line(const std::string& text) { network_.body += text + "\n"; }

    void result(int64_t channels, const std::string& expression) {
        const auto name = fresh("v");
        line(name + " = " + expression);
        features_.push_back({name, channels});
    }

    std::string add(Layer layer);
    std::string add_tensor(Layer layer);
    int64_t width();
    int64_t divisor(int64_t n);

    // Steps; each adds a feature, or nothing where it does not fit.
    void add_convolution();
    void add_grouped();
    void add_depthwise();
    /// The same weights again, on another feature of the same width.
    void repeat_layer();
    void add_norm();
    const WrittenNorm& any_written_norm(int64_t channels);
    void add_activation();
    void add_scale();
    /// Two features of equal width, one of them made by a convolution when there is none.
    void add_binary();
    void add_concatenation();
    /// Pooled, and put back where the largest were.
    void add_unpooling();
    /// Sampled at places that a convolution computes, by one or two heads folded into the batch.
    void add_sampling();
    /// Values or weights rounded to a grid.
    void add_rounding();
    /// Values that the code makes of numbers, by channel or by place.
    void add_positions();
    void add_split();
    void add_shuffle();
    void add_gate();
    void add_spatial_attention();
    void add_linear();
    /// Over the 16 pixels as tokens, 1 or 2 heads.
    void add_attention();
    void add_recurrence();
    void add_weight_expression();
    /// Every channel decides the result: nothing may leave, unless the engine knows better.
    void add_barrier();
    void add_literal();
    void step();
    void finish();

    Random random_;
    bool literals_;
    bool computes_sizes_;
    int names_ = 0;
    std::vector<Feature> features_;
    SourceNetwork network_;
};

}  // namespace mtlprune::toy
