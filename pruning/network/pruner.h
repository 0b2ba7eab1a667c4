// Pruning in progress: which channels of a network are still there, and which leave next.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pruning/allocation/allocation.h"
#include "pruning/criteria/criterion.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

/// What one event changes.
struct PruneEvent {
    Plan plan;                                  ///< indices of the network as the events before have left it
    std::vector<std::vector<int64_t>> removed;  ///< per asked group, numbers of the network as coupled
    std::vector<torch::Tensor>
        kept;                     ///< per asked group, int64: those that stay, numbered as before the event
    std::vector<int64_t> widths;  ///< per asked group, after the event
    std::vector<double> mean_scores;  ///< per asked group, of the channels that were there before
    std::vector<std::string> notes;   ///< of criterion and allocation
    Cost before, after;
    std::vector<Repair> repairs;  ///< to be made before the plan is carried out
};

/// Chooses channels by their scores, as allocate() does.
using ChooseChannels =
    std::function<Allocation(const Coupling& coupling, const std::vector<Group>& groups,
                             const std::vector<torch::Tensor>& scores, const AllocationOptions& options)>;

/// The same for networks of every kind, one-shot or iterative, removed or masked: masked channels are out of
/// the groups as removed ones are, but keep their numbers in the tensors.
class Pruner {
  public:
    Pruner(Coupling coupling, std::unique_ptr<Criterion> criterion, AllocationOptions allocation,
           EditKind edit = EditKind::remove);

    const Coupling& coupling() const { return coupling_; }
    const std::vector<Group>& groups() const { return groups_; }
    /// Numbers of the groups that may shrink.
    const std::vector<size_t>& asked() const { return asked_; }
    Criterion& criterion() { return *criterion_; }
    const Criterion& criterion() const { return *criterion_; }
    /// Channels of each asked group.
    std::vector<int64_t> widths() const;
    /// Per asked group, int64: what the present channels were called when the network was coupled.
    const std::vector<torch::Tensor>& originals() const { return originals_; }
    /// Of the network with the channels that are left.
    Cost cost() const { return cost_of(coupling_, channel_counts(groups_)); }
    /// Every asked group is at its floor.
    bool finished() const;

    /// Evidence about the tensors as they are now, without gradients. `values` and this must outlive it.
    Evidence evidence(const StoredTensors& values) const;

    /// Scores what is there and chooses what leaves.
    PruneEvent next(const Evidence& now, const AllocationOptions& allocation,
                    const ChooseChannels& choose = allocate);
    PruneEvent next(const Evidence& now) { return next(now, allocation_); }
    /// The event in which channels leave that somebody else chose: per asked group, numbers of the network as
    /// coupled.
    PruneEvent event_of(const Evidence& now, const std::vector<std::vector<int64_t>>& originals);
    /// Makes an event's repairs in the tensors of the network.
    static void repair(const StoredTensors& tensors, const PruneEvent& event);
    /// Brings groups and criterion up to date after the event's plan was carried out.
    void carried_out(const PruneEvent& event);

    /// Scores [C] per asked group that the latest event ranked.
    const std::vector<torch::Tensor>& last_scores() const { return last_scores_; }
    const AllocationOptions& allocation() const { return allocation_; }

    /// Before load_state(), for a network that was coupled as it was before an event: what left with it.
    void replay(const Plan& plan) { remove_channels(groups_, plan); }
    std::map<std::string, torch::Tensor> state() const;
    /// Replays nothing: with EditKind::remove the network must have been coupled with the channels of the
    /// saved state.
    void load_state(const std::map<std::string, torch::Tensor>& state);

  private:
    void add_repairs(const Evidence& now, PruneEvent& event) const;
    PruneEvent event_of_present(const std::vector<std::vector<int64_t>>& removed);

    Coupling coupling_;
    std::unique_ptr<Criterion> criterion_;
    AllocationOptions allocation_;
    EditKind edit_;
    Evidence::Structure structure_;
    std::vector<Group> groups_;
    std::vector<size_t> asked_;
    std::vector<torch::Tensor> originals_;
    std::vector<torch::Tensor> last_scores_;
};

}  // namespace mtlprune
