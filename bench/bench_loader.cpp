// How fast data reaches the network: decoding, transforming and batching of AdaShare-layout frames.
//
//   MTLPRUNE_BENCH_DATA=/data/nyuv2 build/bin/bench_loader --benchmark_min_time=4
//
// Without MTLPRUNE_BENCH_DATA, 32 frames of 640x480 are made once in a temporary folder: shaded boxes with a
// little noise, so that the PNG files are as large as real ones (image 0.5 MB, normals 0.4 MB). `cpu_ms` is
// processor time per image over all threads; images/s is limited by threads / cpu_ms. Goal: 220 images/s with
// 2 workers on 2 cores at the paper's training transform (321x321, batch 16). `load_packed` reads the same
// frames (at most 64) from a packed file; goal: 600 images/s from codec raw.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/random.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/npy.h"
#include "datasets/layouts/adashare.h"
#include "datasets/packed/packed.h"
#include "datasets/packed/packed_writer.h"
#include "datasets/pipeline/loader.h"

namespace mtlprune {
namespace {

namespace fs = std::filesystem;

constexpr int kHeight = 480, kWidth = 640, kFrames = 32;

double processor_seconds() {
    timespec time = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Frame {
    cv::Mat image = cv::Mat(kHeight, kWidth, CV_8UC3);
    cv::Mat segmentation = cv::Mat(kHeight, kWidth, CV_8UC1);
    cv::Mat normals = cv::Mat(kHeight, kWidth, CV_8UC3);
    cv::Mat depth = cv::Mat(kHeight, kWidth, CV_32FC1);
};

/// 80-pixel boxes of one class each, gently shaded, with noise in the image and the normals.
Frame make_frame(uint64_t key) {
    Frame frame;
    Random random(key);
    const auto noisy = [&random](double value, uint64_t spread) {
        return cv::saturate_cast<uint8_t>(value + static_cast<double>(random.below(spread)));
    };
    for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x) {
            const int box = y / 80 * 8 + x / 80 + static_cast<int>(key);
            const double shade = 40 * std::sin(0.02 * x + box) + 30 * std::cos(0.03 * y);
            for (int c = 0; c < 3; ++c) {
                frame.image.at<cv::Vec3b>(y, x)[c] = noisy(120 + shade + (box * (13 + 4 * c)) % 60, 6);
                frame.normals.at<cv::Vec3b>(y, x)[c] = noisy(60 + shade + 40 * c, 4);
            }
            frame.segmentation.at<uint8_t>(y, x) = static_cast<uint8_t>(box % 40);
            frame.depth.at<float>(y, x) = static_cast<float>(3.0 + 0.02 * shade);
        }
    return frame;
}

/// `depth` transposed, as the published files are in Fortran order.
void write_depth(const fs::path& path, const cv::Mat& depth) {
    std::string header =
        fmt::format("{{'descr': '<f4', 'fortran_order': True, 'shape': ({}, {}), }}", depth.rows, depth.cols);
    header.resize(117, ' ');
    header += '\n';
    const cv::Mat columns = depth.t();
    std::ofstream(path, std::ios::binary)
        << std::string("\x93NUMPY\x01\0\x76\0", 10) << header
        << std::string_view(reinterpret_cast<const char*>(columns.data), columns.total() * sizeof(float));
}

nlohmann::json write_frame(const fs::path& folder, int index) {
    const Frame frame = make_frame(static_cast<uint64_t>(index));
    const auto write = [&](const char* modality, const cv::Mat& pixels) {
        const std::string name = fmt::format("{}{:04}.png", modality, index);
        if (!cv::imwrite((folder / name).string(), pixels))
            throw Error("cannot write " + (folder / name).string());
        return name;
    };
    const std::string depth = fmt::format("depth{:04}.npy", index);
    write_depth(folder / depth, frame.depth);
    return {write("img", frame.image), write("seg", frame.segmentation), write("normal", frame.normals),
            depth};
}

/// The folder of $MTLPRUNE_BENCH_DATA, or one made here and removed at the end.
class BenchData {
  public:
    BenchData() {
        std::string name = (fs::temp_directory_path() / "mtlprune_bench_XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw Error("cannot create " + name);
        scratch_ = folder_ = name;
        if (const char* given = std::getenv("MTLPRUNE_BENCH_DATA"); given != nullptr && *given != '\0') {
            folder_ = given;
            return;
        }
        nlohmann::json train = nlohmann::json::array();
        for (int i = 0; i < kFrames; ++i) train.push_back(write_frame(folder_, i));
        std::ofstream(folder_ / "nyu_v2_3task.json") << nlohmann::json{{"train", train}}.dump();
    }
    ~BenchData() {
        std::error_code ignored;
        fs::remove_all(scratch_, ignored);
    }
    const fs::path& folder() const { return folder_; }
    std::shared_ptr<const AdaShareNyuv2> open() const {
        return std::make_shared<const AdaShareNyuv2>(AdaShareOptions{folder_});
    }
    /// The frames packed with `codec`, `height` rows high; written once.
    std::shared_ptr<const PackedDataset> open_packed(PackedCodec codec, int64_t height) const {
        const fs::path path = scratch_ / fmt::format("{}{}.h5", to_string(codec), height);
        const auto source = open();
        if (!fs::exists(path))
            write_packed({{"train", source}}, path,
                         {.codec = codec,
                          .height = height,
                          .width = height * 4 / 3,
                          .limit = std::min<int64_t>(source->size(), 64)});
        return std::make_shared<const PackedDataset>(PackedOptions{path});
    }
    /// File `modality` (0 image, 1 segmentation, 2 normals, 3 depth) of the first training frame.
    fs::path file(int modality) const {
        const auto list = nlohmann::json::parse(read_file(folder_ / "nyu_v2_3task.json"));
        return folder_ / list["train"][0][modality].get<std::string>();
    }

  private:
    fs::path folder_;
    fs::path scratch_;
};

const BenchData& data() {
    static const BenchData made;
    return made;
}

void report(benchmark::State& state, int64_t images, double processor) {
    state.SetItemsProcessed(images);
    state.counters["images/s"] = benchmark::Counter(static_cast<double>(images), benchmark::Counter::kIsRate);
    state.counters["cpu_ms"] = 1e3 * processor / static_cast<double>(images);
}

/// Batches of 16 through the whole loader; the calling thread only takes them.
void load(benchmark::State& state, std::shared_ptr<const Dataset> dataset, int64_t workers) {
    LoaderOptions options;
    options.workers = workers;
    options.transform.augmentation = Augmentation::paper;
    Loader loader(std::move(dataset), options);
    loader.next();  // starts the workers and fills the page cache
    const double start = processor_seconds();
    int64_t images = 0;
    for (auto _ : state) images += loader.next().size();
    report(state, images, processor_seconds() - start);
}

void load_batches(benchmark::State& state) {
    load(state, data().open(), state.range(0));
}
BENCHMARK(load_batches)
    ->ArgName("workers")
    ->Arg(0)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

template <PackedCodec codec>
void load_packed(benchmark::State& state) {
    load(state, data().open_packed(codec, state.range(1)), state.range(0));
}
BENCHMARK_TEMPLATE(load_packed, PackedCodec::raw)
    ->ArgNames({"workers", "height"})
    ->ArgsProduct({{1, 2}, {240, 480}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(load_packed, PackedCodec::jpeg)
    ->ArgNames({"workers", "height"})
    ->ArgsProduct({{2}, {240, 480}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

template <typename Work>
void measure(benchmark::State& state, Work work) {
    work();
    const double start = processor_seconds();
    for (auto _ : state) benchmark::DoNotOptimize(work());
    report(state, state.iterations(), processor_seconds() - start);
}

void decode_image(benchmark::State& state) {
    measure(state, [path = data().file(0)] { return read_colour_image(path); });
}
void decode_segmentation(benchmark::State& state) {
    measure(state, [path = data().file(1)] { return read_label_image(path); });
}
void decode_normals(benchmark::State& state) {
    measure(state, [path = data().file(2)] { return read_colour_image(path); });
}
void decode_depth(benchmark::State& state) {
    measure(state, [path = data().file(3)] { return read_npy(path); });
}
/// OpenCV's decoder on the same file: what decode_image would cost without our PNG path.
void decode_image_opencv(benchmark::State& state) {
    measure(state, [path = data().file(0).string()] { return cv::imread(path); });
}
BENCHMARK(decode_image)->Unit(benchmark::kMicrosecond);
BENCHMARK(decode_segmentation)->Unit(benchmark::kMicrosecond);
BENCHMARK(decode_normals)->Unit(benchmark::kMicrosecond);
BENCHMARK(decode_depth)->Unit(benchmark::kMicrosecond);
BENCHMARK(decode_image_opencv)->Unit(benchmark::kMicrosecond);

/// A whole frame with its checks.
void decode_frame(benchmark::State& state) {
    measure(state, [dataset = data().open()] { return dataset->get(0); });
}
BENCHMARK(decode_frame)->Unit(benchmark::kMicrosecond);

/// A whole frame from a packed file of arrays, 480 and 240 rows high.
void read_packed_frame(benchmark::State& state) {
    measure(state, [dataset = data().open_packed(PackedCodec::raw, state.range(0)),
                    at = int64_t{0}]() mutable { return dataset->get(++at % dataset->size()); });
}
BENCHMARK(read_packed_frame)->Arg(240)->Arg(480)->Unit(benchmark::kMicrosecond);

/// The training transform at scales over the whole range.
void transform(benchmark::State& state) {
    const auto dataset = data().open();
    const Sample sample = dataset->get(0);
    Random random(1);
    TransformOptions options;
    options.augmentation = Augmentation::paper;
    measure(state, [&] {
        const AugmentationDraw draw = {random.uniform(0.5, 1.5), random.uniform() > 0.5, random.uniform(),
                                       random.uniform()};
        return transform_sample(sample, dataset->tasks(), options, draw);
    });
}
BENCHMARK(transform)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mtlprune

BENCHMARK_MAIN();
