#include "pruning/surgery/other_sizes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "pruning/graph/script_inputs.h"

namespace mtlprune {
namespace {

constexpr size_t kMostDimensions = 16;

/// Half, and one step less or more, in steps that networks with strides take: the largest power of two that
/// divides the size.
std::vector<int64_t> candidates(int64_t size, bool is_first) {
    if (is_first) return {size > 2 ? size - 1 : size + 1};
    if (size < 2) return {};
    const int64_t power = size & -size, step = power == size ? size / 2 : power;
    std::vector<int64_t> sizes;
    if (size >= 4 && size % 2 == 0) sizes.push_back(size / 2);
    for (const int64_t other : {size - step, size + step, size + 1})
        if (other > 1 && other != size && (sizes.empty() || other != sizes.front())) sizes.push_back(other);
    return sizes;
}

class Finder {
  public:
    Finder(const std::vector<std::vector<int64_t>>& shapes,
           const std::function<bool(const SizeChanges&)>& accepts)
        : shapes_(shapes), accepts_(accepts) {}

    SizeChanges find() {
        std::map<int64_t, SizeChanges> refused;  // by size
        size_t tried = 0;
        for (size_t input = 0; input < shapes_.size(); ++input)
            for (size_t dim = 0; dim < shapes_[input].size() && tried < kMostDimensions; ++dim, ++tried) {
                const SizeChange change{input, static_cast<int64_t>(dim), shapes_[input][dim], 0};
                if (!try_sizes({change}, dim == 0)) refused[change.from].push_back(change);
            }
        for (const auto& [size, changes] : refused)
            if (changes.size() > 1) try_sizes(changes, changes.front().dim == 0);
        return all_;
    }

  private:
    bool accepts(const SizeChanges& changes) const {
        try {
            return accepts_(changes);
        } catch (const std::exception&) {
            return false;
        }
    }

    /// The first size that is accepted is added to the others, if it can be.
    bool try_sizes(SizeChanges changes, bool is_first) {
        if (changes.front().from < 1) return false;
        for (const int64_t size : candidates(changes.front().from, is_first)) {
            for (auto& change : changes) change.to = size;
            if (!accepts(changes)) continue;
            auto together = all_;
            together.insert(together.end(), changes.begin(), changes.end());
            if (all_.empty() || accepts(together)) all_ = std::move(together);
            return true;
        }
        return false;
    }

    const std::vector<std::vector<int64_t>>& shapes_;
    const std::function<bool(const SizeChanges&)>& accepts_;
    SizeChanges all_;
};

}  // namespace

SizeChanges find_other_sizes(const std::vector<std::vector<int64_t>>& shapes,
                             const std::function<bool(const SizeChanges&)>& accepts) {
    return Finder(shapes, accepts).find();
}

bool leave_alike(const std::vector<Group>& a, const std::vector<Group>& b) {
    const auto same_member = [](const Member& x, const Member& y) {
        return x.tensor == y.tensor && x.dim == y.dim && x.indices == y.indices;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Group& x, const Group& y) {
        return x.channels == y.channels && x.frozen == y.frozen &&
               std::equal(x.members.begin(), x.members.end(), y.members.begin(), y.members.end(),
                          same_member);
    });
}

std::vector<std::vector<int64_t>> tensor_shapes(const std::vector<c10::IValue>& inputs) {
    std::vector<std::vector<int64_t>> shapes;
    map_tensors(inputs, [&](const torch::Tensor& tensor) {
        shapes.push_back(tensor.sizes().vec());
        return tensor;
    });
    return shapes;
}

std::vector<c10::IValue> with_sizes(const std::vector<c10::IValue>& inputs, const SizeChanges& changes) {
    size_t number = 0;
    return map_tensors(inputs, [&](torch::Tensor tensor) {
        for (const auto& change : changes)
            if (change.input == number)
                tensor = tensor.index_select(change.dim, torch::arange(change.to).remainder(change.from));
        ++number;
        return tensor;
    });
}

std::vector<std::vector<int64_t>> tensor_shapes(const std::vector<torch::Tensor>& inputs) {
    return tensor_shapes(std::vector<c10::IValue>(inputs.begin(), inputs.end()));
}

std::vector<torch::Tensor> with_sizes(const std::vector<torch::Tensor>& inputs, const SizeChanges& changes) {
    std::vector<torch::Tensor> tensors;
    for (const auto& input : with_sizes(std::vector<c10::IValue>(inputs.begin(), inputs.end()), changes))
        tensors.push_back(input.toTensor());
    return tensors;
}

std::string describe(const std::vector<std::vector<int64_t>>& shapes, const SizeChanges& changes) {
    std::string text;
    for (size_t input = 0; input < shapes.size(); ++input) {
        auto now = shapes[input];
        for (const auto& change : changes)
            if (change.input == input) now[change.dim] = change.to;
        if (now == shapes[input]) continue;
        text += fmt::format("{}input {}: {} -> {}", text.empty() ? "" : ", ", input,
                            fmt::join(shapes[input], "x"), fmt::join(now, "x"));
    }
    return text;
}

}  // namespace mtlprune
