#include "datasets/pipeline/targets.h"

#include <algorithm>
#include <opencv2/core/hal/hal.hpp>

#include "base/error.h"
#include "datasets/codecs/normal_codes.h"

namespace mtlprune {
namespace {

constexpr float kMissingDepth = 3e-5f;

const cv::Mat& labels_of(const Sample& sample, TaskKind kind) {
    switch (kind) {
        case TaskKind::segmentation:
            return sample.segmentation;
        case TaskKind::normals:
            return sample.normals;
        case TaskKind::depth:
            return sample.depth;
        case TaskKind::keypoints:
            return sample.keypoints;
        case TaskKind::edges:
        case TaskKind::classification:  // has no pixels, see write_class()
            break;
    }
    return sample.edges;
}

bool has_documented_type(const cv::Mat& labels, TaskKind kind) {
    if (kind == TaskKind::segmentation) return labels.type() == CV_8UC1;
    if (kind == TaskKind::normals) return labels.type() == CV_8UC3 || labels.type() == CV_32FC3;
    return labels.type() == CV_32FC1;
}

const cv::Mat& checked_labels(const Sample& sample, const TaskSpec& task) {
    const cv::Mat& labels = labels_of(sample, task.kind);
    if (labels.empty()) throw Error("sample", sample.id, "labels of task " + task.name, "none");
    if (!has_documented_type(labels, task.kind) || labels.size() != sample.image.size())
        throw Error("sample", sample.id,
                    "labels of task " + task.name + " in their documented type and the image's size",
                    "another type or size");
    return labels;
}

/// Copies the window's pixels of one source row; `row` keeps what it holds in the padding columns.
template <typename Pixel>
void gather(const Pixel* source, const AxisMap& columns, Pixel* row) {
    for (int64_t x = columns.begin; x < columns.end; ++x) row[x] = source[columns.nearest[x]];
}

/// Calls write(y, row) for every window row with the labels of that row, `padding` outside the image.
template <typename Pixel, typename Write>
void for_each_row(const cv::Mat& labels, const Window& window, Pixel padding, const Write& write) {
    const std::vector<Pixel> outside(window.columns.nearest.size(), padding);
    std::vector<Pixel> row = outside;
    const auto height = static_cast<int64_t>(window.rows.nearest.size());
    int32_t gathered = -1;
    for (int64_t y = 0; y < height; ++y) {
        if (y < window.rows.begin || y >= window.rows.end) {
            write(y, outside.data());
            continue;
        }
        const int32_t source = window.rows.nearest[y];
        if (source != gathered) gather(labels.ptr<Pixel>(source), window.columns, row.data());
        gathered = source;
        write(y, row.data());
    }
}

void write_segmentation(const cv::Mat& labels, const Window& window, int64_t* value, bool* mask) {
    const auto width = static_cast<int64_t>(window.columns.nearest.size());
    for_each_row<uint8_t>(labels, window, kIgnore, [&](int64_t y, const uint8_t* row) {
        int64_t* const values = value + y * width;
        bool* const valid = mask + y * width;
        for (int64_t x = 0; x < width; ++x) {
            valid[x] = row[x] != kIgnore;
            values[x] = row[x] == kIgnore ? 0 : row[x];
        }
    });
}

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

void write_float_normals(const cv::Mat& labels, const TargetGeometry& geometry, NormalsTarget form,
                         float* value, bool* mask) {
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    const auto plane = width * static_cast<int64_t>(geometry.window.rows.nearest.size());
    const bool mirror = geometry.mirror_normals;
    for_each_row<cv::Vec3f>(labels, geometry.window, {}, [&](int64_t y, const cv::Vec3f* row) {
        float* const values = value + y * width;
        bool* const valid = mask + y * width;
        if (form == NormalsTarget::true_angles)
            write_vectors(row, width, mirror ? -1.0f : 1.0f, plane, values, valid);
        else
            write_vector_codes(row, width, mirror, plane, values, valid);
    });
}

void write_normals(const cv::Mat& labels, const TargetGeometry& geometry, NormalsTarget form, float* value,
                   bool* mask) {
    if (labels.type() == CV_32FC3) return write_float_normals(labels, geometry, form, value, mask);
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    const auto plane = width * static_cast<int64_t>(geometry.window.rows.nearest.size());
    NormalsRow channels(width);
    for_each_row<Code>(labels, geometry.window, Code::all(kIgnore), [&](int64_t y, const Code* row) {
        float* const values = value + y * width;
        bool* const valid = mask + y * width;
        channels.split(row);
        if (form == NormalsTarget::paper_codes) {
            write_codes(channels, geometry.mirror_normals, plane, values, valid);
        } else {
            mark_directions(channels, valid);
            write_unit_vectors(channels, geometry.mirror_normals ? -1.0f : 1.0f, plane, values, valid);
        }
    });
}

void write_depth(const cv::Mat& labels, const TaskSpec& task, const TargetGeometry& geometry, float* value,
                 bool* mask) {
    const auto width = static_cast<int64_t>(geometry.window.columns.nearest.size());
    const auto factor =
        static_cast<float>(task.name == kInverseDepth ? 1.0 / geometry.depth_factor : geometry.depth_factor);
    for_each_row<float>(labels, geometry.window, 0.0f, [&](int64_t y, const float* row) {
        float* const values = value + y * width;
        bool* const valid = mask + y * width;
        for (int64_t x = 0; x < width; ++x) {
            values[x] = row[x] * factor;
            valid[x] = row[x] > kMissingDepth;
        }
    });
}

/// Keypoints and edges: every pixel of the image counts, padding does not.
void write_map(const cv::Mat& labels, const Window& window, float* value, bool* mask) {
    const auto width = static_cast<int64_t>(window.columns.nearest.size());
    for_each_row<float>(labels, window, 0.0f, [&](int64_t y, const float* row) {
        std::copy_n(row, width, value + y * width);
        const bool inside = y >= window.rows.begin && y < window.rows.end;
        for (int64_t x = 0; x < width; ++x)
            mask[y * width + x] = inside && x >= window.columns.begin && x < window.columns.end;
    });
}

}  // namespace

void write_target(const Sample& sample, const TaskSpec& task, const TargetGeometry& geometry,
                  NormalsTarget normals, Target& target, int64_t position) {
    const cv::Mat& labels = checked_labels(sample, task);
    const int64_t pixels = target.mask.size(2) * target.mask.size(3);
    bool* const mask = target.mask.data_ptr<bool>() + position * pixels;
    if (task.kind == TaskKind::segmentation) {
        write_segmentation(labels, geometry.window, target.value.data_ptr<int64_t>() + position * pixels,
                           mask);
        return;
    }
    float* const value = target.value.data_ptr<float>() + position * pixels * target.value.size(1);
    switch (task.kind) {
        case TaskKind::normals:
            return write_normals(labels, geometry, normals, value, mask);
        case TaskKind::depth:
            return write_depth(labels, task, geometry, value, mask);
        default:
            return write_map(labels, geometry.window, value, mask);
    }
}

void write_class(const Sample& sample, const TaskSpec& task, size_t which, Target& target, int64_t position) {
    if (which >= sample.classes.size())
        throw Error("sample", sample.id, "a class of task " + task.name,
                    std::to_string(sample.classes.size()) + " classes");
    const int64_t label = sample.classes[which];
    if (label < -1 || label >= task.channels)
        throw Error("sample", sample.id + ": " + task.name,
                    "a class in 0.." + std::to_string(task.channels - 1) + " or -1", std::to_string(label));
    target.value.data_ptr<int64_t>()[position] = std::max<int64_t>(label, 0);
    target.mask.data_ptr<bool>()[position] = label >= 0;
}

}  // namespace mtlprune
