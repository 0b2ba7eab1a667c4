// Metrics against calculations pixel by pixel, on random tensors and on edge cases.
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "tests/random_batch.h"
#include "training/metrics.h"

namespace mtlprune::slow_metrics_test {
namespace {

const std::vector<Fidelity> kBoth = {Fidelity::corrected, Fidelity::as_released};

struct Shown {
    torch::Tensor prediction;
    Target target;
};

/// Position in the prediction of a position in the target.
int64_t source(int64_t position, int64_t in, int64_t out) {
    return std::min<int64_t>(static_cast<int64_t>(static_cast<float>(position) *
                                                  (static_cast<float>(in) / static_cast<float>(out))),
                             in - 1);
}

/// Calls back with the predicted channels and the position of every valid pixel.
void each_pixel(const Shown& shown,
                const std::function<void(const std::vector<double>&, int64_t, int64_t, int64_t)>& seen) {
    const auto prediction = shown.prediction.to(torch::kFloat).contiguous();
    const auto p = prediction.accessor<float, 4>();
    const auto mask = shown.target.mask.accessor<bool, 4>();
    for (int64_t b = 0; b < mask.size(0); ++b)
        for (int64_t y = 0; y < mask.size(2); ++y)
            for (int64_t x = 0; x < mask.size(3); ++x) {
                if (!mask[b][0][y][x]) continue;
                std::vector<double> channels;
                for (int64_t c = 0; c < p.size(1); ++c)
                    channels.push_back(
                        p[b][c][source(y, p.size(2), mask.size(2))][source(x, p.size(3), mask.size(3))]);
                seen(channels, b, y, x);
            }
}

/// corrected: sum by number; as_released: mean of the batches' means, weighted by their images.
class SlowMean {
  public:
    void add(double value) { values_.back().push_back(value); }
    void begin(int64_t images) {
        values_.emplace_back();
        images_.push_back(static_cast<double>(images));
    }
    double value(Fidelity fidelity) const {
        double sum = 0, weight = 0;
        for (size_t b = 0; b < values_.size(); ++b) {
            const auto count = static_cast<double>(values_[b].size());
            const double of_batch = std::accumulate(values_[b].begin(), values_[b].end(), 0.0);
            const bool pooled = fidelity == Fidelity::corrected;
            sum += pooled ? of_batch : images_[b] * (of_batch / count);
            weight += pooled ? count : images_[b];
        }
        return sum / weight;
    }

  private:
    std::vector<std::vector<double>> values_;
    std::vector<double> images_;
};

std::vector<double> slow_segmentation(const std::vector<Shown>& batches, int64_t classes, Fidelity fidelity) {
    SlowMean accuracy;
    std::vector<double> hits(classes, 0), labelled(classes, 0), predicted(classes, 0);
    for (const auto& shown : batches) {
        accuracy.begin(shown.prediction.size(0));
        const auto labels = shown.target.value.accessor<int64_t, 3>();
        each_pixel(shown, [&](const std::vector<double>& scores, int64_t b, int64_t y, int64_t x) {
            const int64_t label = labels[b][y][x];
            if (label < 0 || label >= classes) return;
            const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
            accuracy.add(best == label);
            ++labelled[label];
            ++predicted[best];
            hits[label] += best == label;
        });
    }
    double sum = 0, counted = 0;
    for (int64_t c = 0; c < classes; ++c) {
        const double either = labelled[c] + predicted[c] - hits[c];
        if (!(fidelity == Fidelity::corrected ? either > 0 : hits[c] > 0)) continue;
        sum += hits[c] / either;
        ++counted;
    }
    return {accuracy.value(fidelity), sum / counted};
}

std::vector<double> slow_normals(const std::vector<Shown>& batches) {
    std::vector<double> angles;
    for (const auto& shown : batches) {
        const auto truth = shown.target.value.accessor<float, 4>();
        each_pixel(shown, [&](const std::vector<double>& v, int64_t b, int64_t y, int64_t x) {
            double product = 0, length = 0, true_length = 0;
            for (size_t c = 0; c < 3; ++c) {
                const double known = truth[b][static_cast<int64_t>(c)][y][x];
                product += v[c] * known;
                length += v[c] * v[c];
                true_length += known * known;
            }
            const double cosine = product / std::sqrt(length) / std::sqrt(true_length);
            angles.push_back(std::acos(std::clamp(cosine, -1.0, 1.0)) * 180.0 / std::acos(-1.0));
        });
    }
    std::sort(angles.begin(), angles.end());
    const size_t n = angles.size();
    const auto share = [&](double bound) {
        return 100.0 *
               static_cast<double>(std::upper_bound(angles.begin(), angles.end(), bound) - angles.begin()) /
               static_cast<double>(n);
    };
    return {std::accumulate(angles.begin(), angles.end(), 0.0) / static_cast<double>(n),
            (angles[(n - 1) / 2] + angles[n / 2]) / 2, share(11.25), share(22.5), share(30.0)};
}

std::vector<double> slow_depth(const std::vector<Shown>& batches, Fidelity fidelity) {
    SlowMean absolute, relative;
    double pixels = 0, within[3] = {0, 0, 0};
    for (const auto& shown : batches) {
        absolute.begin(shown.prediction.size(0));
        relative.begin(shown.prediction.size(0));
        const auto truth = shown.target.value.accessor<float, 4>();
        each_pixel(shown, [&](const std::vector<double>& p, int64_t b, int64_t y, int64_t x) {
            const double g = truth[b][0][y][x];
            absolute.add(std::abs(p[0] - g));
            relative.add(std::abs(p[0] - g) / g);
            const double depth = fidelity == Fidelity::corrected ? std::max(p[0], 1e-6) : p[0];
            const double ratio = std::max(depth / g, g / depth);
            ++pixels;
            for (int k = 0; k < 3; ++k) within[k] += ratio <= std::pow(1.25, k + 1);
        });
    }
    return {absolute.value(fidelity), relative.value(fidelity), 100 * within[0] / pixels,
            100 * within[1] / pixels, 100 * within[2] / pixels};
}

std::vector<double> slow_strength(const std::vector<Shown>& batches, Fidelity fidelity) {
    SlowMean absolute;
    for (const auto& shown : batches) {
        absolute.begin(shown.prediction.size(0));
        const auto truth = shown.target.value.accessor<float, 4>();
        each_pixel(shown, [&](const std::vector<double>& p, int64_t b, int64_t y, int64_t x) {
            absolute.add(std::abs(p[0] - static_cast<double>(truth[b][0][y][x])));
        });
    }
    return {absolute.value(fidelity)};
}

std::vector<double> found(const TaskSpec& task, const std::vector<Shown>& batches, Fidelity fidelity) {
    const auto metrics = make_task_metrics(task, fidelity);
    for (const auto& shown : batches) metrics->add(shown.prediction, shown.target);
    return metrics->values();
}

void expect_same(const std::vector<double>& values, const std::vector<double>& expected,
                 const std::string& what) {
    ASSERT_EQ(values.size(), expected.size()) << what;
    for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(std::isnan(values[i]), std::isnan(expected[i])) << what << ' ' << i;
        if (std::isnan(expected[i])) continue;
        EXPECT_NEAR(values[i], expected[i], 2e-4 * std::max(1.0, std::abs(expected[i]))) << what << ' ' << i;
    }
}

/// Batches of 3, 1 and 2 images of different sizes.
std::vector<Shown> random_batches(const TaskSpec& task, uint64_t key) {
    std::vector<Shown> batches;
    for (const int64_t images : {3, 1, 2}) {
        key += 10;
        const auto mask = noise({images, 1, 7, 5}, key) > -0.4;
        auto value =
            task.kind == TaskKind::segmentation
                ? noise({images, 7, 5}, key + 1).abs().mul(2).to(torch::kLong).clamp(0, task.channels)
                : noise({images, task.channels, 7, 5}, key + 1);
        if (task.kind == TaskKind::depth) value = value.abs() + 0.3;
        batches.push_back({noise({images, task.channels, 4, 3}, key + 2), {value, mask}});
    }
    return batches;
}

const TaskSpec kClasses{"segmentation", TaskKind::segmentation, 4};
const TaskSpec kAngles{"normals", TaskKind::normals, 3};
const TaskSpec kMetres{"depth", TaskKind::depth, 1};

TEST(SlowMetrics, AgreeOnRandomTensors) {
    for (uint64_t key = 0; key < 5; ++key)
        for (const auto fidelity : kBoth) {
            const auto classes = random_batches(kClasses, 1000 * key);  // with labels beyond the classes
            expect_same(found(kClasses, classes, fidelity), slow_segmentation(classes, 4, fidelity),
                        "classes");
            const auto normals = random_batches(kAngles, 1000 * key);
            expect_same(found(kAngles, normals, fidelity), slow_normals(normals), "normals");
            const auto depths = random_batches(kMetres, 1000 * key);  // half of the predictions are negative
            expect_same(found(kMetres, depths, fidelity), slow_depth(depths, fidelity), "depth");
            for (const auto kind : {TaskKind::keypoints, TaskKind::edges}) {
                const TaskSpec task{to_string(kind), kind, 1};
                const auto maps = random_batches(task, 1000 * key);
                expect_same(found(task, maps, fidelity), slow_strength(maps, fidelity), task.name);
            }
        }
}

TEST(SlowMetrics, AgreeAfterABatchWithoutAValidPixel) {
    for (const auto fidelity : kBoth) {
        auto classes = random_batches(kClasses, 1);
        classes[1].target.mask.fill_(false);
        expect_same(found(kClasses, classes, fidelity), slow_segmentation(classes, 4, fidelity), "classes");
        auto normals = random_batches(kAngles, 1);
        normals[1].target.mask.fill_(false);
        expect_same(found(kAngles, normals, fidelity), slow_normals(normals), "normals");
        auto depths = random_batches(kMetres, 1);
        depths[1].target.mask.fill_(false);
        expect_same(found(kMetres, depths, fidelity), slow_depth(depths, fidelity), "depth");
    }
}

TEST(SlowMetrics, AgreeOnOneClassAlone) {
    const TaskSpec one{"one", TaskKind::segmentation, 1};
    for (const auto fidelity : kBoth) {
        const Shown all{noise({2, 1, 3, 3}, 1),
                        {torch::zeros({2, 6, 6}, torch::kLong), torch::ones({2, 1, 6, 6}, torch::kBool)}};
        expect_same(found(one, {all}, fidelity), {1.0, 1.0}, "one class");
        auto only = random_batches(kClasses, 1);  // one class of four is labelled
        for (auto& shown : only) shown.target.value.fill_(2);
        expect_same(found(kClasses, only, fidelity), slow_segmentation(only, 4, fidelity), "labelled");
        auto never = only;  // and never predicted: no true positive at all
        for (auto& shown : never) shown.prediction.select(1, 2).fill_(-100);
        expect_same(found(kClasses, never, fidelity), slow_segmentation(never, 4, fidelity), "never");
    }
}

TEST(SlowMetrics, AgreeOnDepthsAtAndBelowZero) {
    for (const auto fidelity : kBoth)
        for (const float value : {0.0F, -0.5F, 1e-7F, 1e6F}) {
            auto depths = random_batches(kMetres, 1);
            for (auto& shown : depths) shown.prediction.fill_(value);
            expect_same(found(kMetres, depths, fidelity), slow_depth(depths, fidelity),
                        std::to_string(value));
        }
}

TEST(SlowMetrics, AgreeOnClassesOfImages) {
    const TaskSpec task{"digit", TaskKind::classification, 4};
    for (uint64_t key = 0; key < 5; ++key) {
        double hits = 0, images = 0;
        const auto metrics = make_task_metrics(task);
        for (const int64_t count : {3, 1, 7}) {
            const auto scores = noise({count, 4}, 10 * key + static_cast<uint64_t>(count));
            const auto classes = noise({count}, 7 * key).abs().mul(2).to(torch::kLong).clamp(0, 3);
            const auto known = noise({count}, 3 * key) > -0.5;
            metrics->add(scores, {classes, known});
            for (int64_t i = 0; i < count; ++i) {
                if (!known[i].item<bool>()) continue;
                ++images;
                int64_t best = 0;
                for (int64_t c = 1; c < 4; ++c)
                    if (scores[i][c].item<float>() > scores[i][best].item<float>()) best = c;
                hits += best == classes[i].item<int64_t>();
            }
        }
        EXPECT_EQ(metrics->values().front(), hits / images);
    }
}

}  // namespace
}  // namespace mtlprune::slow_metrics_test
