// Which single weights of a network are kept. Masks report sparsity and never a speed-up: the network keeps
// its shapes, parameters and multiplications.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/enum_names.h"
#include "pruning/masks/maskable_weights.h"
#include "training/checkpoint.h"

namespace mtlprune {

/// How many of some weights are kept.
struct KeptCount {
    int64_t kept = 0, all = 0;
    /// 1 where there are none.
    double density() const { return all == 0 ? 1.0 : static_cast<double>(kept) / static_cast<double>(all); }
    double sparsity() const { return 1.0 - density(); }
};

/// One weight tensor's.
struct LayerMask {
    std::string name;    ///< the parameter's
    std::string task;    ///< whose head it belongs to; empty: to all
    torch::Tensor kept;  ///< bool, of the parameter's shape, true = kept
    KeptCount count() const;
};

class WeightMasks {
  public:
    WeightMasks() = default;
    /// Throws Error naming a layer that occurs twice or whose mask is not bool.
    explicit WeightMasks(std::vector<LayerMask> layers);
    /// Everything is kept.
    static WeightMasks all_kept(const std::vector<MaskableWeight>& weights);
    /// What is not zero is kept.
    static WeightMasks of_values(const std::vector<MaskableWeight>& weights);

    const std::vector<LayerMask>& layers() const& { return layers_; }
    std::vector<LayerMask> layers() && { return std::move(layers_); }
    bool empty() const { return layers_.empty(); }
    /// Throws Error for a parameter without a mask.
    const torch::Tensor& at(const std::string& name) const;
    bool contains(const std::string& name) const;

    KeptCount count() const;                            ///< of all
    KeptCount count_shared() const;                     ///< of what belongs to all tasks
    KeptCount count_of(const std::string& task) const;  ///< of that task's head
    std::vector<std::string> tasks() const;             ///< those with layers of their own, in order

    /// Zeroes the weights that are not kept. Throws Error naming a parameter that the module lacks or that
    /// has another shape.
    void apply(torch::nn::Module& module) const;

    /// For checkpoints: eight weights per byte.
    TensorMap state() const;
    /// What state() returned. Throws Error naming `place` and the entry that is missing or of another form.
    static WeightMasks of_state(const TensorMap& state, const std::string& place);
    /// Takes over such a state of masks of the same layers. Throws Error naming the first that differs.
    void load_state(const TensorMap& state, const std::string& place);
    /// The same as a file, complete or absent, with a checksum.
    void save(const std::filesystem::path& file) const;
    static WeightMasks load(const std::filesystem::path& file);

  private:
    std::vector<LayerMask> layers_;
};

/// When a weight that several tasks share is pruned: when all say so, any, or more than half.
enum class Vote { all, any, majority };
const EnumNames<Vote>& votes();
/// Of `tasks` tasks, how many must keep a weight for it to stay.
int64_t keepers_needed(Vote vote, int64_t tasks);

/// One mask out of the tasks': each decides about the layers that it has.
WeightMasks combined(const std::vector<WeightMasks>& of_tasks, Vote vote);

/// What two masks keep together, by what at least one keeps (1 where neither keeps anything).
struct LayerOverlap {
    std::string name;
    int64_t both = 0, either = 0;
    double iou() const { return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either); }
};
/// Per layer that both have, in the order of the first.
std::vector<LayerOverlap> overlaps(const WeightMasks& a, const WeightMasks& b);
/// Sums over layers.
LayerOverlap total(const std::vector<LayerOverlap>& layers);

}  // namespace mtlprune
