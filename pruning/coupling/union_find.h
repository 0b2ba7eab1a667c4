// Disjoint sets of channel labels, some of them frozen for a reason.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mtlprune {

/// One channel-like index of one axis. Label 0 is fixed: it can never be removed.
using Label = int64_t;
inline constexpr Label kFixedLabel = 0;

/// Union by size with path halving (Tarjan and van Leeuwen 1984): near-constant time per operation. A set is
/// frozen when any of its labels was frozen or joined with the fixed label; it keeps the reason it was given
/// first.
class UnionFind {
  public:
    UnionFind() { add(1); }

    /// Adds `count` labels, each a set of its own, and returns the first.
    Label add(int64_t count) {
        const auto first = static_cast<Label>(parent_.size());
        parent_.resize(first + count);
        std::iota(parent_.begin() + first, parent_.end(), first);
        size_.resize(parent_.size(), 1);
        reason_.resize(parent_.size(), 0);
        return first;
    }

    Label find(Label label) {
        while (parent_[label] != label) label = parent_[label] = parent_[parent_[label]];
        return label;
    }

    /// Unites the two sets; with the fixed label it freezes the other instead. `reason` is a string, or a
    /// function that makes one when it is needed.
    template <typename Reason>
    void join(Label a, Label b, const Reason& reason) {
        if (a == kFixedLabel || b == kFixedLabel) {
            if (!frozen(a) || !frozen(b)) freeze(a == kFixedLabel ? b : a, text(reason));
            return;
        }
        a = find(a);
        b = find(b);
        if (a == b) return;
        if (size_[a] < size_[b]) std::swap(a, b);
        parent_[b] = a;
        size_[a] += size_[b];
        if (reason_[a] == 0) reason_[a] = reason_[b];
    }

    void freeze(Label label, const std::string& reason) {
        if (label == kFixedLabel) return;
        label = find(label);
        if (reason_[label] != 0) return;
        if (reasons_.back() != reason || reasons_.size() == 1) reasons_.push_back(reason);
        reason_[label] = reasons_.size() - 1;
    }

    /// Nothing was ever joined with it.
    bool is_single(Label label) { return find(label) == label && size_[label] == 1 && reason_[label] == 0; }
    bool same(Label a, Label b) { return find(a) == find(b); }
    bool frozen(Label label) { return label == kFixedLabel || reason_[find(label)] != 0; }
    /// Why the label's set is frozen; empty when it is not.
    const std::string& reason(Label label) { return reasons_[reason_[find(label)]]; }
    /// A number that is equal for equal reasons; 0 when the label's set is not frozen.
    size_t reason_number(Label label) { return reason_[find(label)]; }
    int64_t size() const { return static_cast<int64_t>(parent_.size()); }

  private:
    template <typename Reason>
    static std::string text(const Reason& reason) {
        if constexpr (std::is_invocable_v<Reason>)
            return reason();
        else
            return reason;
    }

    std::vector<Label> parent_;
    std::vector<int64_t> size_;
    std::vector<size_t> reason_;
    std::vector<std::string> reasons_ = {""};
};

}  // namespace mtlprune
