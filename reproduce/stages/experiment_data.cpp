#include "reproduce/stages/experiment_data.h"

#include "datasets/conventions/contradictions.h"
#include "datasets/layouts/open_dataset.h"
#include "datasets/pipeline/frame_subset.h"
#include "datasets/pipeline/resized_dataset.h"
#include "datasets/pipeline/task_subset.h"
#include "datasets/synthetic/synthetic_rooms.h"

namespace mtlprune {
namespace {

constexpr int64_t kDefaultTrainRooms = 256;
constexpr int64_t kDefaultTestRooms = 64;

LoaderOptions loader_options(const DataConfig& config, int64_t batch_size) {
    LoaderOptions options;
    options.batch_size = batch_size;
    options.transform = config.transform;
    options.workers = config.workers;
    options.cache_decoded = config.cache;
    return options;
}

/// At its own size; rendered rooms with all of their tasks. `split`: "train" or "test" of the files.
std::shared_ptr<const Dataset> open_whole(const DataConfig& config, const std::string& split) {
    const int64_t frames = split == "train" ? config.train : config.test;
    if (config.kind != "synthetic_rooms") {
        DatasetRequest request{config.kind, config.path, split, config.classes, frames, config.tasks};
        request.options = config.options;
        if (split == "test") request.split = test_split(request);
        return open_dataset(request);
    }
    SyntheticRoomsOptions options;
    options.count = frames > 0 ? frames : (split == "train" ? kDefaultTrainRooms : kDefaultTestRooms);
    options.height = config.render_height;
    options.width = config.render_width;
    options.seed = config.seed;
    options.split = split;
    options.dense_labels = config.dense_labels;
    return std::make_shared<SyntheticRooms>(options);
}

/// Rendered rooms are what they say.
void require_as_read(const DataConfig& config, const Dataset& dataset) {
    if (config.kind != "synthetic_rooms") require_no_contradictions(dataset);
}

}  // namespace

std::shared_ptr<const Dataset> open_split(const DataConfig& config, const std::string& split) {
    const bool is_held_out = split == "val" && config.validation > 0.0;
    auto dataset = open_whole(config, is_held_out ? "train" : split);
    if (is_held_out || (split == "train" && config.validation > 0.0)) {
        auto parts = hold_out(dataset->size(), config.validation);
        dataset = std::make_shared<FrameSubset>(dataset, is_held_out ? parts.held_out : parts.rest,
                                                is_held_out ? "held out for validation" : "to train on");
    }
    if (!config.tasks.empty() && config.kind == "synthetic_rooms")
        dataset = std::make_shared<TaskSubset>(dataset, config.tasks);
    if (config.resize_height == 0) return dataset;
    return std::make_shared<ResizedDataset>(dataset, config.resize_height, config.resize_width);
}

std::vector<TaskSpec> experiment_tasks(const DataConfig& config) {
    return open_split(config, "train")->tasks();
}

std::unique_ptr<Loader> training_loader(const DataConfig& config, int64_t batch_size, uint64_t seed,
                                        torch::Device device, int64_t rank, int64_t ranks) {
    auto options = loader_options(config, batch_size / ranks);
    options.rank = rank;
    options.world = ranks;
    options.seed = seed;
    options.page_locked = device.is_cuda();
    const auto dataset = open_split(config, "train");
    require_as_read(config, *dataset);
    return std::make_unique<Loader>(dataset, options);
}

std::vector<Batch> collect_split(const DataConfig& config, const std::string& split, torch::Device device,
                                 int64_t batch_size) {
    auto options = loader_options(config, batch_size);
    options.shuffle = false;
    options.cache_decoded = false;
    options.transform.augmentation = Augmentation::none;
    const auto dataset = open_split(config, split);
    require_as_read(config, *dataset);
    Loader loader(dataset, options);
    std::vector<Batch> batches;
    for (int64_t b = 0; b < loader.batches_per_epoch(); ++b) batches.push_back(loader.next().to(device));
    return batches;
}

std::vector<Batch> collect_all_training_frames(const DataConfig& config) {
    auto whole = config;
    whole.validation = 0.0;
    return collect_split(whole, "train");
}

}  // namespace mtlprune
