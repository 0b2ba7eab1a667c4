#include "datasets/pipeline/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "datasets/pipeline/transform.h"

namespace mtlprune {
namespace {

/// One batch on its way: workers claim its samples in order and fill them independently.
struct PendingBatch {
    int64_t epoch = 0;
    Batch batch;
    int64_t claimed = 0;
    int64_t finished = 0;
    std::exception_ptr error;
    int64_t error_position = 0;  ///< the first sample that failed, whatever the threads' order

    int64_t size() const { return static_cast<int64_t>(batch.indices.size()); }
    bool complete() const { return finished == size(); }
};

AugmentationDraw draw_augmentation(Augmentation kind, uint64_t seed, int64_t epoch, int64_t index) {
    Random random(seed, Stream::augmentation, static_cast<uint64_t>(epoch), static_cast<uint64_t>(index));
    AugmentationDraw draw;
    draw.scale = kind == Augmentation::corrected ? random.uniform(0.75, 1.4) : random.uniform(0.5, 1.5);
    draw.flip = random.uniform() > 0.5;
    draw.crop_y = random.uniform();
    draw.crop_x = random.uniform();
    return draw;
}

void check_options(const LoaderOptions& options) {
    const auto at_least = [](const char* name, int64_t value, int64_t low) {
        if (value < low) throw Error("loader", name, fmt::format("at least {}", low), std::to_string(value));
    };
    at_least("batch_size", options.batch_size, 1);
    at_least("workers", options.workers, 0);
    at_least("prefetch", options.prefetch, 1);
    at_least("world", options.world, 1);
    if (options.rank < 0 || options.rank >= options.world)
        throw Error("loader", "rank", fmt::format("0..{}", options.world - 1), std::to_string(options.rank));
}

}  // namespace

struct Loader::Impl {
    Impl(std::shared_ptr<const Dataset> data, LoaderOptions chosen);
    ~Impl();

    int64_t batches_per_epoch() const;
    void seek(int64_t epoch, int64_t batch);
    Batch next();

  private:
    using Pending = std::shared_ptr<PendingBatch>;

    Pending create_batch();
    void read_order();
    void take_indices(Batch& batch);
    std::shared_ptr<const Sample> sample(int64_t index);
    void fill(PendingBatch& pending, int64_t position);
    void fill_by_name(PendingBatch& pending, int64_t position);
    void fill_and_record(PendingBatch& pending, int64_t position, std::unique_lock<std::mutex>& lock);
    Pending claim();
    Pending take_front(std::unique_lock<std::mutex>& lock);
    void work();
    void start_workers();

    const std::shared_ptr<const Dataset> dataset_;
    const LoaderOptions options_;

    std::mutex mutex_;  // guards everything below
    std::condition_variable work_available_;
    std::condition_variable sample_finished_;
    int64_t epoch_ = 0;  // position of the next batch to create
    int64_t batch_ = 0;
    int64_t order_epoch_ = -1;
    std::vector<int64_t> order_;
    std::deque<Pending> queue_;
    bool stopping_ = false;
    std::vector<std::thread> workers_;

    std::mutex cache_mutex_;
    std::vector<std::shared_ptr<const Sample>> cache_;
};

Loader::Impl::Impl(std::shared_ptr<const Dataset> data, LoaderOptions chosen)
    : dataset_(std::move(data)), options_(std::move(chosen)) {
    check_options(options_);
    check_transform(options_.transform);
    if (batches_per_epoch() == 0)
        throw Error("loader", dataset_->description(),
                    fmt::format("at least {} samples", options_.drop_last ? options_.batch_size : 1),
                    options_.world == 1 ? std::to_string(dataset_->size())
                                        : fmt::format("{} in {} shards", dataset_->size(), options_.world));
    if (options_.cache_decoded) cache_.resize(dataset_->size());
}

Loader::Impl::~Impl() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_available_.notify_all();
    for (auto& worker : workers_) worker.join();
}

/// The same for all shards.
int64_t Loader::Impl::batches_per_epoch() const {
    const int64_t of_all_shards = options_.batch_size * options_.world;
    const int64_t rounding = options_.drop_last ? 0 : of_all_shards - 1;
    return (dataset_->size() + rounding) / of_all_shards;
}

void Loader::Impl::seek(int64_t epoch, int64_t batch) {
    if (epoch < 0 || batch < 0 || batch >= batches_per_epoch())
        throw Error("loader", "seek", fmt::format("epoch >= 0 and batch in 0..{}", batches_per_epoch() - 1),
                    fmt::format("epoch {}, batch {}", epoch, batch));
    const std::lock_guard lock(mutex_);
    epoch_ = epoch;
    batch_ = batch;
    queue_.clear();  // workers still busy with these batches keep them alive until they are done
    work_available_.notify_all();
}

void Loader::Impl::read_order() {
    if (order_epoch_ == epoch_) return;
    order_.resize(dataset_->size());
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int64_t>(i);
    if (options_.shuffle)
        order_ = permutation(dataset_->size(),
                             Random(options_.seed, Stream::order, static_cast<uint64_t>(epoch_)));
    order_epoch_ = epoch_;
}

/// The sample indices at the current position, which then advances, and what they weigh.
void Loader::Impl::take_indices(Batch& batch) {
    read_order();
    const int64_t world = options_.world, of_all_shards = options_.batch_size * world;
    const int64_t first = batch_ * of_all_shards, last = std::min(first + of_all_shards, dataset_->size());
    for (int64_t i = first + options_.rank; i < last; i += world) batch.indices.push_back(order_[i]);
    const auto samples = static_cast<double>(batch.indices.size());
    batch.weight = samples * static_cast<double>(world) / static_cast<double>(last - first);
    if (batch.indices.empty()) batch.indices.push_back(order_[first]);
    if (++batch_ == batches_per_epoch()) {
        batch_ = 0;
        ++epoch_;
    }
}

Loader::Impl::Pending Loader::Impl::create_batch() {
    auto pending = std::make_shared<PendingBatch>();
    pending->epoch = epoch_;
    Batch chosen;
    take_indices(chosen);
    pending->batch = allocate_batch(static_cast<int64_t>(chosen.indices.size()), dataset_->tasks(),
                                    options_.transform, options_.page_locked);
    pending->batch.indices = std::move(chosen.indices);
    pending->batch.weight = chosen.weight;
    return pending;
}

std::shared_ptr<const Sample> Loader::Impl::sample(int64_t index) {
    if (!options_.cache_decoded) return std::make_shared<const Sample>(dataset_->get(index));
    {
        const std::lock_guard lock(cache_mutex_);
        if (cache_[index]) return cache_[index];
    }
    auto decoded = std::make_shared<const Sample>(dataset_->get(index));
    const std::lock_guard lock(cache_mutex_);
    return cache_[index] = std::move(decoded);
}

void Loader::Impl::fill(PendingBatch& pending, int64_t position) {
    const int64_t index = pending.batch.indices[position];
    const auto decoded = sample(index);
    transform_into(pending.batch, position, *decoded, dataset_->tasks(), options_.transform,
                   draw_augmentation(options_.transform.augmentation, options_.seed, pending.epoch, index));
}

/// Fills with exceptions of libraries turned into ones that name the sample; an Error names its file itself.
void Loader::Impl::fill_by_name(PendingBatch& pending, int64_t position) try {
    fill(pending, position);
} catch (const Error&) {
    throw;
} catch (const std::exception& error) {
    throw std::runtime_error(
        fmt::format("sample {}: {}", dataset_->id(pending.batch.indices[position]), error.what()));
}

/// Works with the lock released; records the result under it.
void Loader::Impl::fill_and_record(PendingBatch& pending, int64_t position,
                                   std::unique_lock<std::mutex>& lock) {
    std::exception_ptr error;
    lock.unlock();
    try {
        fill_by_name(pending, position);
    } catch (...) {
        error = std::current_exception();
    }
    lock.lock();
    if (error && (!pending.error || position < pending.error_position)) {
        pending.error = error;
        pending.error_position = position;
    }
    ++pending.finished;
    if (pending.complete()) sample_finished_.notify_all();
}

/// The first batch with samples left to claim, a new one if the memory bound allows, or nothing.
Loader::Impl::Pending Loader::Impl::claim() {
    for (const auto& pending : queue_)
        if (pending->claimed < pending->size()) return pending;
    while (static_cast<int64_t>(queue_.size()) < options_.prefetch * options_.workers) {
        queue_.push_back(create_batch());
        if (queue_.back()->size() > 0) return queue_.back();
    }
    return nullptr;
}

void Loader::Impl::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        Pending pending;
        work_available_.wait(lock, [&] { return stopping_ || (pending = claim()) != nullptr; });
        if (stopping_) return;
        fill_and_record(*pending, pending->claimed++, lock);
    }
}

void Loader::Impl::start_workers() {
    while (static_cast<int64_t>(workers_.size()) < options_.workers)
        workers_.emplace_back([this] { work(); });
}

Loader::Impl::Pending Loader::Impl::take_front(std::unique_lock<std::mutex>& lock) {
    if (options_.workers == 0) {
        auto pending = create_batch();
        while (pending->claimed < pending->size()) fill_and_record(*pending, pending->claimed++, lock);
        return pending;
    }
    start_workers();
    sample_finished_.wait(lock, [&] { return !queue_.empty() && queue_.front()->complete(); });
    auto pending = std::move(queue_.front());
    queue_.pop_front();
    work_available_.notify_all();
    return pending;
}

Batch Loader::Impl::next() {
    std::unique_lock lock(mutex_);
    const Pending pending = take_front(lock);
    if (pending->error) std::rethrow_exception(pending->error);
    return std::move(pending->batch);
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(dataset), std::move(options))) {}
Loader::~Loader() = default;
int64_t Loader::batches_per_epoch() const {
    return impl_->batches_per_epoch();
}
void Loader::seek(int64_t epoch, int64_t batch) {
    impl_->seek(epoch, batch);
}
Batch Loader::next() {
    return impl_->next();
}

}  // namespace mtlprune
