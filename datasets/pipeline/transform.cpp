#include "datasets/pipeline/transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "datasets/pipeline/resample.h"
#include "datasets/pipeline/targets.h"

namespace mtlprune {
namespace {

/// Output = pixel * factor + shift for each channel of the output, taken from BGR channel `source`.
struct ChannelScaling {
    int source;
    float factor;
    float shift;
};

std::array<ChannelScaling, 3> channel_scaling(ImageScaling scaling) {
    if (scaling == ImageScaling::paper)
        return {{{0, 1.0f, -104.00698793f}, {1, 1.0f, -116.66876762f}, {2, 1.0f, -122.67891434f}}};
    constexpr double kMean[3] = {0.485, 0.456, 0.406},
                     kDeviation[3] = {0.229, 0.224, 0.225};  // ImageNet, RGB
    std::array<ChannelScaling, 3> channels;
    for (int c = 0; c < 3; ++c)
        channels[c] = {2 - c, static_cast<float>(1.0 / (255.0 * kDeviation[c])),
                       static_cast<float>(-kMean[c] / kDeviation[c])};
    return channels;
}

int64_t crop_start(double fraction, int64_t padded, int64_t length) {
    const auto start = static_cast<int64_t>(std::floor(fraction * static_cast<double>(padded - length + 1)));
    return std::clamp<int64_t>(start, 0, padded - length);
}

AxisMap crop_axis(int64_t source, int64_t length, bool mirror, double fraction, double scale, Axis axis) {
    const auto scaled = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(source) * scale));
    const int64_t padded = std::max(scaled, length);
    return map_axis(
        {source, scaled, mirror, (padded - scaled) / 2, crop_start(fraction, padded, length), length}, axis);
}

Window make_window(const cv::Size& size, const TransformOptions& options, const AugmentationDraw& draw) {
    if (options.augmentation == Augmentation::none)
        return {map_axis({size.height, options.height, false, 0, 0, options.height}, Axis::rows),
                map_axis({size.width, options.width, false, 0, 0, options.width}, Axis::columns)};
    return {crop_axis(size.height, options.height, false, draw.crop_y, draw.scale, Axis::rows),
            crop_axis(size.width, options.width, draw.flip, draw.crop_x, draw.scale, Axis::columns)};
}

void write_image(const cv::Mat& image, const Window& window, const TransformOptions& options, float* output) {
    const auto channels = channel_scaling(options.image);
    BilinearRows rows(image.data, static_cast<int64_t>(image.step[0]), window);
    const std::vector<uint8_t> padding(3 * options.width, 0);  // before the mean is subtracted
    for (int64_t y = 0; y < options.height; ++y) {
        const bool inside = y >= window.rows.begin && y < window.rows.end;
        const uint8_t* const row = inside ? rows.row(y) : padding.data();
        for (int64_t c = 0; c < 3; ++c) {
            const auto [source, factor, shift] = channels[c];
            const uint8_t* const from = row + source * options.width;
            float* const to = output + (c * options.height + y) * options.width;
            for (int64_t x = 0; x < options.width; ++x) to[x] = static_cast<float>(from[x]) * factor + shift;
        }
    }
}

void check_scale(const TransformOptions& options, const AugmentationDraw& draw) {
    if (options.augmentation != Augmentation::none && !(draw.scale > 0.0 && draw.scale <= 16.0))
        throw Error("transform", "scale", "a factor in (0, 16]", fmt::format("{}", draw.scale));
}

void check_image(const Sample& sample) {
    if (sample.image.empty() || sample.image.type() != CV_8UC3)
        throw Error("sample", sample.id, "an 8-bit BGR image",
                    sample.image.empty() ? "none" : "another pixel type");
}

void check_label_count(const Sample& sample, const std::vector<TaskSpec>& tasks) {
    if (sample.labels.size() != tasks.size())
        throw Error("sample", sample.id, fmt::format("{} labels, one for each task", tasks.size()),
                    std::to_string(sample.labels.size()));
}

/// The draw with its scale as a factor on the frame. A corrected draw's is relative to the mean scale at
/// which the test transform shows whole frames.
AugmentationDraw frame_scale(cv::Size size, const TransformOptions& options, AugmentationDraw draw) {
    if (options.augmentation == Augmentation::corrected)
        draw.scale *= std::sqrt(static_cast<double>(options.height * options.width) /
                                (static_cast<double>(size.height) * size.width));
    return draw;
}

}  // namespace

void check_transform(const TransformOptions& options) {
    if (options.height < 1 || options.width < 1 || options.height > kLargestSide ||
        options.width > kLargestSide)
        throw Error("transform", "size", fmt::format("sides in 1..{}", kLargestSide),
                    fmt::format("{}x{}", options.height, options.width));
}

Batch allocate_batch(int64_t size, const std::vector<TaskSpec>& tasks, const TransformOptions& options,
                     bool page_locked) {
    check_transform(options);
    const auto image = torch::TensorOptions(torch::kFloat32).pinned_memory(page_locked);
    Batch batch{torch::empty({size, 3, options.height, options.width}, image), {}, {}};
    for (const auto& task : tasks)
        batch.targets.push_back(allocate_target(task, size, options.height, options.width, page_locked));
    return batch;
}

void transform_into(Batch& batch, int64_t position, const Sample& sample, const std::vector<TaskSpec>& tasks,
                    const TransformOptions& options, const AugmentationDraw& draw) {
    check_scale(options, draw);
    check_image(sample);
    check_label_count(sample, tasks);
    const Window window =
        make_window(sample.image.size(), options, frame_scale(sample.image.size(), options, draw));
    const int64_t pixels = options.height * options.width;
    write_image(sample.image, window, options, batch.image.data_ptr<float>() + position * 3 * pixels);
    const bool corrected = options.augmentation == Augmentation::corrected;
    const TargetGeometry geometry{window, options.normals, corrected && draw.flip,
                                  corrected ? 1.0 / draw.scale : 1.0};
    for (size_t t = 0; t < tasks.size(); ++t)
        write_target(sample, sample.labels[t], tasks[t], geometry, batch.targets[t], position);
}

TransformedSample transform_sample(const Sample& sample, const std::vector<TaskSpec>& tasks,
                                   const TransformOptions& options, const AugmentationDraw& draw) {
    Batch batch = allocate_batch(1, tasks, options);
    transform_into(batch, 0, sample, tasks, options, draw);
    TransformedSample result{batch.image[0], {}};
    for (const auto& target : batch.targets) result.targets.push_back({target.value[0], target.mask[0]});
    return result;
}

}  // namespace mtlprune
