// Surface normals: 8-bit codes or unit vectors.
#include <algorithm>
#include <opencv2/core/hal/hal.hpp>

#include "datasets/codecs/normal_codes.h"
#include "datasets/pipeline/kinds/kinds.h"
#include "datasets/pipeline/label_rows.h"
#include "datasets/pipeline/predicted_pixels.h"
#include "datasets/pipeline/targets.h"

namespace mtlprune {
namespace {

using Code = cv::Vec3b;  // BGR: B = up, G = forward, R = right

/// One row of normals, channel by channel, with room for intermediate results: loops over plain arrays, which
/// the compiler turns into vector instructions.
struct NormalsRow {
    explicit NormalsRow(int64_t width) : blue(width), green(width), red(width), length(width) {}
    void split(const Code* row) {
        const auto width = static_cast<int64_t>(length.size());
        uint8_t *b = blue.data(), *g = green.data(), *r = red.data();
        for (int64_t i = 0; i < width; ++i) {
            b[i] = row[i][0];
            g[i] = row[i][1];
            r[i] = row[i][2];
        }
    }
    std::vector<uint8_t> blue, green, red;
    std::vector<float> length;
};

/// 255 times the component that a code stands for, n = code / 127.5 - 1.
float component(uint8_t code) {
    return static_cast<float>(2 * code - 255);
}

void mark_directions(const NormalsRow& row, bool* __restrict mask) {
    const auto width = static_cast<int64_t>(row.length.size());
    const uint8_t *b = row.blue.data(), *g = row.green.data(), *r = row.red.data();
    for (int64_t i = 0; i < width; ++i) {
        const uint8_t largest = std::max(std::max(b[i], g[i]), r[i]),
                      smallest = std::min(std::min(b[i], g[i]), r[i]);
        mask[i] = (largest != kIgnore) & ((smallest < 127) | (largest > 128));
    }
}

/// Unit vectors, 0 where `mask` is false. No code has length 0, as no component is 0.
void write_unit_vectors(NormalsRow& row, float x_sign, int64_t plane, float* __restrict value,
                        const bool* mask) {
    const auto width = static_cast<int64_t>(row.length.size());
    const uint8_t *b = row.blue.data(), *g = row.green.data(), *r = row.red.data();
    float* __restrict length = row.length.data();
    for (int64_t i = 0; i < width; ++i) {
        const float right = component(r[i]), up = component(b[i]), forward = component(g[i]);
        length[i] = right * right + up * up + forward * forward;
    }
    cv::hal::sqrt32f(length, length, static_cast<int>(width));
    float* __restrict x = value, * __restrict y = value + plane, * __restrict z = value + 2 * plane;
    for (int64_t i = 0; i < width; ++i) {
        const float scale = static_cast<float>(mask[i]) / length[i];
        x[i] = x_sign * component(r[i]) * scale;
        y[i] = -component(b[i]) * scale;
        z[i] = component(g[i]) * scale;
    }
}

/// Negating n in codes is 255 - code; where a code is masked all stay as they are.
void write_codes(const NormalsRow& row, bool mirror, int64_t plane, float* value, bool* mask) {
    const auto width = static_cast<int64_t>(row.blue.size());
    for (int64_t i = 0; i < width; ++i) {
        const int b = row.blue[i], g = row.green[i], r = row.red[i];
        const bool valid = std::max(std::max(b, g), r) != kIgnore;
        value[i] = static_cast<float>(b);
        value[plane + i] = static_cast<float>(g);
        value[2 * plane + i] = static_cast<float>(mirror & valid ? 255 - r : r);
        mask[i] = valid;
    }
}

/// Normals that are unit vectors already; 0 where there is none.
void write_vectors(const cv::Vec3f* row, int64_t width, float x_sign, int64_t plane, float* __restrict value,
                   bool* __restrict mask) {
    float* __restrict x = value, * __restrict y = value + plane, * __restrict z = value + 2 * plane;
    for (int64_t i = 0; i < width; ++i) {
        const bool valid = is_normal(row[i]);
        const float keep = static_cast<float>(valid);
        x[i] = x_sign * keep * row[i][0];
        y[i] = keep * row[i][1];
        z[i] = keep * row[i][2];
        mask[i] = valid;
    }
}

/// The codes of unit vectors, as write_codes() would write them.
void write_vector_codes(const cv::Vec3f* row, int64_t width, bool mirror, int64_t plane,
                        float* __restrict value, bool* __restrict mask) {
    float* __restrict up = value, * __restrict forward = value + plane, * __restrict right = value + 2 * plane;
    constexpr auto kMasked = static_cast<float>(kIgnore);
    const float first = mirror ? 255.0f : 0.0f, sign = mirror ? -1.0f : 1.0f;
    for (int64_t i = 0; i < width; ++i) {
        const bool valid = is_normal(row[i]);
        up[i] = valid ? static_cast<float>(component_code(-row[i][1])) : kMasked;
        forward[i] = valid ? static_cast<float>(component_code(row[i][2])) : kMasked;
        right[i] = valid ? first + sign * static_cast<float>(component_code(row[i][0])) : kMasked;
        mask[i] = valid;
    }
}

void write_float_normals(const cv::Mat& labels, const TargetGeometry& geometry, const TargetPlace& target) {
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    const auto plane = width * static_cast<int64_t>(geometry.window.rows.nearest.size());
    const bool mirror = geometry.mirror_normals;
    for_each_row<cv::Vec3f>(labels, geometry.window, {}, [&](int64_t y, const cv::Vec3f* row) {
        float* const values = target.values + y * width;
        bool* const valid = target.mask + y * width;
        if (geometry.normals == NormalsTarget::true_angles)
            write_vectors(row, width, mirror ? -1.0f : 1.0f, plane, values, valid);
        else
            write_vector_codes(row, width, mirror, plane, values, valid);
    });
}

void write_code_normals(const cv::Mat& labels, const TargetGeometry& geometry, const TargetPlace& target) {
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    const auto plane = width * static_cast<int64_t>(geometry.window.rows.nearest.size());
    NormalsRow channels(width);
    for_each_row<Code>(labels, geometry.window, Code::all(kIgnore), [&](int64_t y, const Code* row) {
        float* const values = target.values + y * width;
        bool* const valid = target.mask + y * width;
        channels.split(row);
        if (geometry.normals == NormalsTarget::paper_codes) {
            write_codes(channels, geometry.mirror_normals, plane, values, valid);
        } else {
            mark_directions(channels, valid);
            write_unit_vectors(channels, geometry.mirror_normals ? -1.0f : 1.0f, plane, values, valid);
        }
    });
}

void write_normals(const Label& label, const TaskSpec&, const TargetGeometry& geometry,
                   const TargetPlace& target) {
    const bool vectors = label.pixels.type() == CV_32FC3;
    (vectors ? write_float_normals : write_code_normals)(label.pixels, geometry, target);
}

/// As 8-bit codes, whatever the vectors' lengths.
Label predicted_normals(const torch::Tensor& prediction, NormalsTarget form) {
    auto codes = prediction;
    if (form == NormalsTarget::true_angles) {
        const auto n = prediction / prediction.norm(2, {0}, /*keepdim=*/true).clamp_min(1e-12);
        codes = torch::stack({-n[1], n[2], n[0]}) * 127.5 + 127.5;  // BGR = up, forward, right
    }
    return {to_pixels(codes.round().clamp(0, 254).to(torch::kByte).permute({1, 2, 0}), CV_8UC3)};
}

}  // namespace

LabelKind normals_labels() {
    return {.kind = TaskKind::normals,
            .content = LabelContent::directions,
            .pixel_types = {CV_8UC3, CV_32FC3},
            .write = write_normals,
            .from_prediction = predicted_normals};
}

}  // namespace mtlprune
