#include "datasets/pipeline/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "datasets/layouts/adashare.h"
#include "tests/datasets/adashare_folder.h"

namespace mtlprune::loader_test {
namespace {

using std::chrono::milliseconds;

/// Frames made on the fly: every pixel of frame i says i. Records how often frames are decoded.
class CountingFrames : public Dataset {
  public:
    explicit CountingFrames(int64_t size, int64_t broken = -1) : size_(size), broken_(broken) {}
    int64_t size() const override { return size_; }
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string description() const override { return "counting frames"; }
    Sample get(int64_t index) const override {
        ++decoded;
        if (index == broken_ || (broken_ >= 0 && index == broken_ + 1)) {
            if (index == broken_)
                std::this_thread::sleep_for(milliseconds(5));  // its successor fails earlier
            throw Error("frame", "frame" + std::to_string(index) + ".png", "an image", "none");
        }
        Sample sample;
        sample.id = std::to_string(index);
        sample.image = cv::Mat(9, 12, CV_8UC3, cv::Scalar::all(static_cast<double>(index)));
        sample.labels = {{cv::Mat(9, 12, CV_8UC1, cv::Scalar(static_cast<double>(index)))}};
        return sample;
    }
    mutable std::atomic<int64_t> decoded{0};

  private:
    int64_t size_, broken_;
    std::vector<TaskSpec> tasks_ = {{"segmentation", TaskKind::segmentation, 200}};
};

LoaderOptions small_options(int64_t workers, int64_t batch_size = 4) {
    LoaderOptions options;
    options.batch_size = batch_size;
    options.workers = workers;
    options.seed = 17;
    options.transform.height = 9;
    options.transform.width = 12;
    return options;
}

void expect_equal(const Batch& a, const Batch& b) {
    EXPECT_EQ(a.indices, b.indices);
    EXPECT_TRUE(torch::equal(a.image, b.image));
    ASSERT_EQ(a.targets.size(), b.targets.size());
    for (size_t t = 0; t < a.targets.size(); ++t) {
        EXPECT_TRUE(torch::equal(a.targets[t].value, b.targets[t].value));
        EXPECT_TRUE(torch::equal(a.targets[t].mask, b.targets[t].mask));
    }
}

TEST(Loader, DeliversTheSameBatchesForAnyNumberOfWorkers) {
    const AdaShareFolder folder(7, 12, 16);
    const auto dataset = std::make_shared<AdaShareNyuv2>(AdaShareOptions{folder.path()});
    std::vector<Batch> expected;
    for (const int64_t workers : {0, 1, 3}) {
        Loader loader(dataset, small_options(workers, 3));
        ASSERT_EQ(loader.batches_per_epoch(), 3);
        for (size_t i = 0; i < 9; ++i) {
            Batch batch = loader.next();
            if (workers == 0)
                expected.push_back(batch);
            else
                expect_equal(batch, expected[i]);
        }
    }
    EXPECT_EQ(expected[2].size(), 1) << "the last batch of an epoch keeps the rest";
    EXPECT_FALSE(torch::equal(expected[0].image, expected[3].image)) << "epochs must differ";
}

TEST(Loader, VisitsEverySampleOncePerEpochInANewOrder) {
    Loader loader(std::make_shared<CountingFrames>(50), small_options(2));
    std::vector<std::vector<int64_t>> orders(2);
    for (auto& order : orders) {
        for (int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
            const auto indices = loader.next().indices;
            order.insert(order.end(), indices.begin(), indices.end());
        }
        EXPECT_EQ(order.size(), 50u);
        EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 50u);
        EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
    }
    EXPECT_NE(orders[0], orders[1]);
}

TEST(Loader, PutsEachSampleInItsPlace) {
    auto options = small_options(3);
    options.transform.augmentation = Augmentation::none;
    options.transform.image = ImageScaling::paper;
    Loader loader(std::make_shared<CountingFrames>(10), options);
    for (int i = 0; i < 3; ++i) {
        const Batch batch = loader.next();
        for (int64_t k = 0; k < batch.size(); ++k) {
            EXPECT_TRUE((batch.targets[0].value[k] == batch.indices[k]).all().item<bool>());
            EXPECT_NEAR(batch.image[k][0][0][0].item<double>(),
                        static_cast<double>(batch.indices[k]) - 104.00698793, 1e-4);
        }
    }
}

TEST(Loader, KeepsTheOrderWithoutShuffleAndDropsTheRestOnRequest) {
    auto options = small_options(1);
    options.shuffle = false;
    options.drop_last = true;
    Loader loader(std::make_shared<CountingFrames>(10), options);
    ASSERT_EQ(loader.batches_per_epoch(), 2);
    EXPECT_EQ(loader.next().indices, (std::vector<int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(loader.next().indices, (std::vector<int64_t>{4, 5, 6, 7}));
    EXPECT_EQ(loader.next().indices, (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(Loader, SeeksToAnyBatchOfAnyEpoch) {
    const auto dataset = std::make_shared<CountingFrames>(11);
    Loader straight(dataset, small_options(0));
    std::vector<Batch> batches;
    for (int i = 0; i < 9; ++i) batches.push_back(straight.next());
    for (const int64_t workers : {0, 2}) {
        Loader loader(dataset, small_options(workers));
        for (const int64_t target : {7, 0, 5, 2}) {
            loader.seek(target / 3, target % 3);
            expect_equal(loader.next(), batches[target]);
            expect_equal(loader.next(), batches[target + 1]);
        }
        EXPECT_THROW(loader.seek(0, 3), Error);
        EXPECT_THROW(loader.seek(-1), Error);
    }
}

TEST(Loader, DependsOnTheSeed) {
    const auto dataset = std::make_shared<CountingFrames>(40);
    auto options = small_options(0, 40);
    const auto first = Loader(dataset, options).next();
    options.seed = 18;
    EXPECT_NE(Loader(dataset, options).next().indices, first.indices);
}

TEST(Loader, RethrowsTheFirstErrorOfABatchOnceAndGoesOn) {
    for (const int64_t workers : {0, 1, 3}) {
        auto options = small_options(workers);
        options.shuffle = false;
        Loader loader(std::make_shared<CountingFrames>(12, 5), options);
        EXPECT_EQ(loader.next().indices[0], 0);
        const auto message = error_of([&] { loader.next(); });
        EXPECT_NE(message.find("frame5.png"), std::string::npos) << workers << " workers: " << message;
        EXPECT_EQ(loader.next().indices[0], 8);
    }
}

TEST(Loader, EndsWithErrorsAndBatchesNobodyTook) {
    auto options = small_options(3);
    options.shuffle = false;
    {
        Loader loader(std::make_shared<CountingFrames>(12, 0), options);
        EXPECT_THROW(loader.next(), Error);
    }
    const Loader untouched(std::make_shared<CountingFrames>(12), options);
}

TEST(Loader, PrefetchesNoMoreThanItsBound) {
    const auto dataset = std::make_shared<CountingFrames>(400);
    auto options = small_options(2);
    options.prefetch = 3;
    Loader loader(dataset, options);
    loader.next();
    const int64_t bound = (1 + 2 * 3) * 4;
    for (int i = 0; i < 500 && dataset->decoded < bound; ++i) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(dataset->decoded, bound);
}

TEST(Loader, DecodesOnceWhenAskedToCache) {
    const auto dataset = std::make_shared<CountingFrames>(8);
    auto options = small_options(1);
    options.cache_decoded = true;
    Loader cached(dataset, options), plain(std::make_shared<CountingFrames>(8), small_options(0));
    for (int i = 0; i < 6; ++i) expect_equal(cached.next(), plain.next());
    EXPECT_EQ(dataset->decoded, 8);
}

TEST(Loader, ShardsShareTheEpochsWithoutOverlap) {
    for (const int64_t size : {1, 10, 11, 12, 13}) {
        for (const int64_t world : {1, 2, 3}) {
            std::multiset<int64_t> seen;
            for (int64_t rank = 0; rank < world; ++rank) {
                auto options = small_options(2);
                options.rank = rank;
                options.world = world;
                Loader shard(std::make_shared<CountingFrames>(size), options);
                for (int64_t i = 0; i < shard.batches_per_epoch(); ++i)
                    if (const auto batch = shard.next(); batch.weight > 0.0)
                        seen.insert(batch.indices.begin(), batch.indices.end());
            }
            EXPECT_EQ(seen.size(), static_cast<size_t>(size)) << size << " in " << world;
            EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), static_cast<size_t>(size));
        }
    }
}

TEST(Loader, ShardsTogetherHoldTheBatchesOfOneLargeLoader) {
    const auto dataset = std::make_shared<CountingFrames>(26);
    auto options = small_options(0, 8);
    options.drop_last = true;
    Loader whole(dataset, options);
    options.batch_size = 4;
    options.world = 2;
    Loader first(dataset, options);
    options.rank = 1;
    Loader second(dataset, options);
    ASSERT_EQ(first.batches_per_epoch(), 3);
    ASSERT_EQ(second.batches_per_epoch(), 3);
    for (int i = 0; i < 6; ++i) {
        const Batch large = whole.next(), a = first.next(), b = second.next();
        for (int64_t k = 0; k < 8; ++k) {
            const Batch& shard = k % 2 == 0 ? a : b;
            EXPECT_EQ(large.indices[k], shard.indices[k / 2]);
            EXPECT_TRUE(torch::equal(large.image[k], shard.image[k / 2])) << "augmentation";
        }
    }
}

/// Means of shards, each by its weight, have the mean of the large batch as their mean.
TEST(Loader, ShardsOfARestWeighWhatTheyHold) {
    for (const int64_t rest : {1, 2, 3, 5}) {
        const auto dataset = std::make_shared<CountingFrames>(6 + rest);
        auto options = small_options(0, 6);
        Loader whole(dataset, options);
        options.batch_size = 2;
        options.world = 3;
        std::vector<std::unique_ptr<Loader>> shards;
        for (options.rank = 0; options.rank < 3; ++options.rank)
            shards.push_back(std::make_unique<Loader>(dataset, options));
        for (int k = 0; k < 4; ++k) {
            const auto large = whole.next();
            auto mean = torch::zeros({}, torch::kDouble);
            for (const auto& shard : shards) {
                ASSERT_EQ(shard->batches_per_epoch(), 2);
                const auto part = shard->next();
                ASSERT_GT(part.size(), 0);
                EXPECT_EQ(part.size(), static_cast<int64_t>(part.indices.size()));
                mean += part.weight / 3.0 * part.image.to(torch::kDouble).mean();
                if (k % 2 == 0) {
                    EXPECT_EQ(part.weight, 1.0);
                }
            }
            EXPECT_NEAR(mean.item<double>(), large.image.to(torch::kDouble).mean().item<double>(), 1e-9)
                << rest << ' ' << k;
        }
    }
}

TEST(Loader, ShardsHaveEquallyManyBatchesWhenTheRestIsDropped) {
    auto options = small_options(0, 4);
    options.drop_last = true;
    options.world = 3;
    for (options.rank = 0; options.rank < 3; ++options.rank)
        EXPECT_EQ(Loader(std::make_shared<CountingFrames>(26), options).batches_per_epoch(), 2);
}

/// Fails as a library would.
class BrokenFrames : public CountingFrames {
  public:
    using CountingFrames::CountingFrames;
    Sample get(int64_t) const override { throw std::out_of_range("row 9"); }
    std::string id(int64_t index) const override { return "img/" + std::to_string(index) + ".png"; }
};

TEST(Loader, NamesTheSampleOfAnExceptionThatDoesNot) {
    for (const int64_t workers : {0, 2}) {
        auto options = small_options(workers);
        options.shuffle = false;
        Loader loader(std::make_shared<BrokenFrames>(8), options);
        for (const char* message : {"sample img/0.png: row 9", "sample img/4.png: row 9"}) try {
                loader.next();
                ADD_FAILURE() << "nothing was thrown";
            } catch (const std::runtime_error& error) {
                EXPECT_STREQ(error.what(), message);
            }
    }
}

TEST(Loader, RejectsImpossibleOptions) {
    const auto dataset = std::make_shared<CountingFrames>(3);
    const auto message_of = [&](auto change) {
        LoaderOptions options = small_options(1);
        change(options);
        return error_of([&] { Loader(dataset, options); });
    };
    EXPECT_NE(message_of([](auto& o) { o.batch_size = 0; }).find("batch_size"), std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.workers = -1; }).find("workers"), std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.prefetch = 0; }).find("prefetch"), std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.world = 0; }).find("world"), std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.rank = 1; }).find("rank: expected 0..0, found 1"),
              std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.rank = 3, o.world = 4, o.drop_last = true; }).find("3 in 4 shards"),
              std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.transform.width = 0; }).find("size"), std::string::npos);
    EXPECT_NE(message_of([](auto& o) { o.drop_last = true; }).find("at least 4 samples, found 3"),
              std::string::npos);
}

}  // namespace
}  // namespace mtlprune::loader_test
