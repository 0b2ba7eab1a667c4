// Turns samples into batches: decoding, augmentation and collation in worker threads, in an order that
// depends only on the seed.
#pragma once

#include <cstdint>
#include <memory>

#include "datasets/contract/batch.h"
#include "datasets/contract/sample.h"

namespace mtlprune {

/// `paper`: exactly the released loader (mirrored normals keep their x, scaled images keep their depth).
/// `corrected`: mirrored normals flip x; scales are relative to the mean scale at which the test transform
/// shows whole frames, drawn from [0.75, 1.4), and depth is divided by them, so that a trained network is
/// right in metres on test images. `none`: test transform.
enum class Augmentation { none, paper, corrected };

/// `paper`: BGR 0..255 minus the mean (104.00698793, 116.66876762, 122.67891434). `unit`: RGB, /255, minus
/// the ImageNet mean, divided by the ImageNet standard deviation.
enum class ImageScaling { paper, unit };

struct TransformOptions {
    int64_t height = 321;  ///< size of the network's input
    int64_t width = 321;
    Augmentation augmentation = Augmentation::corrected;
    ImageScaling image = ImageScaling::unit;
    NormalsTarget normals = NormalsTarget::true_angles;
};

/// The random choices of one augmented sample, drawn or (in tests) given.
struct AugmentationDraw {
    double scale =
        1.0;  ///< paper: factor on the frame; corrected: relative to the test transform's mean scale
    bool flip = false;
    double crop_y = 0.0;  ///< in [0, 1): start row = floor(crop_y * (padded height - height + 1))
    double crop_x = 0.0;
};

struct TransformedSample {
    torch::Tensor image;          ///< float32 [3,H,W]
    std::vector<Target> targets;  ///< as in Batch without the leading dimension: [H,W] int64 or [C,H,W], mask
                                  ///< [1,H,W]; classification: scalars
};

/// Labels and `tasks` have the same order and number. Test transform (augmentation none): resize to height x
/// width, image bilinear, labels nearest (cv::INTER_NEAREST). Training transform: scale, mirror, pad, crop as
/// in ../docs/datasets (the main paper's protocol).
TransformedSample transform_sample(const Sample& sample, const std::vector<TaskSpec>& tasks,
                                   const TransformOptions& options, const AugmentationDraw& draw);

struct LoaderOptions {
    int64_t batch_size = 16;
    TransformOptions transform;
    bool shuffle = true;
    bool drop_last = false;
    int64_t workers = 2;   ///< threads; 0 = the calling thread does the work
    int64_t prefetch = 2;  ///< batches ready or under way per worker, bounds the memory
    uint64_t seed = 0;
    bool cache_decoded = false;  ///< keep decoded samples in memory (small data sets)
    bool page_locked = false;    ///< batches in memory that a GPU reads directly; needs one
    int64_t rank = 0;            ///< this loader's shard, 0..world-1
    int64_t world = 1;           ///< number of shards
};

/// Iterates over epochs of batches. Order and augmentation depend only on (seed, epoch, position), not on
/// `workers`. Shard `rank` takes the positions rank, rank + world, ... of the order that all shards share, so
/// batch k of all shards together holds the samples of batch k of one loader with world times the batch size.
/// All shards have equally many batches. Without `drop_last` the last batch of some has one sample more
/// (Batch::weight says how much more a shard's mean counts than others'), and a shard for which none is left
/// gets the first sample of that batch once more, with weight 0; all others are in exactly one shard. An
/// exception in a worker is rethrown once from `next()`, an Error as it is, others as std::runtime_error that
/// names the sample.
class Loader {
  public:
    Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    int64_t batches_per_epoch() const;
    /// Positions the loader so that the next batch is number `batch` (0-based) of `epoch`.
    void seek(int64_t epoch, int64_t batch = 0);
    /// The next batch; rolls over into the next epoch by itself.
    Batch next();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace mtlprune
