// The values of a trace: which of them a tensor, list or number of the running code is.
#pragma once

#include <torch/script.h>

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pruning/graph/script_graph.h"

namespace mtlprune {

/// What a value of the code holds at the moment, and its number in the trace.
struct Slot {
    c10::IValue content;
    size_t number = 0;
};

/// Gives numbers to values and finds them again: tensors, lists and dictionaries by identity.
class ScriptValues {
  public:
    /// Numbers the module's parameters and buffers. Without `shapes_only` nothing is found again.
    ScriptValues(const torch::jit::Module& module, ScriptTrace& trace, bool shapes_only);

    /// New values are computed from these until the next call.
    void computed_from(const std::vector<size_t>& values);
    /// New values are given by whoever runs the network.
    void given_from_outside(const std::string& origin);

    /// The number of a new value.
    size_t add();
    size_t add_tensor(const torch::Tensor& tensor);
    /// A new value with this content; containers get their elements, which may be known.
    size_t record(const c10::IValue& content);
    /// The same as one that is known, or a new one.
    size_t find(const c10::IValue& content);
    /// A list or dictionary with these elements; from now on its number.
    size_t record_container(const c10::IValue& content, std::vector<size_t> elements);
    /// Lists and dictionaries that were changed have another number than before.
    size_t number(const Slot& slot) const;

    /// One number per entry of a container (two of a dictionary's: key and value).
    std::vector<size_t> elements(const Slot& slot);
    /// Of a tensor of the module; nothing (-1) for others.
    int64_t stored(const torch::Tensor& tensor) const;
    /// It may be another when the network is called with other inputs or in training mode.
    bool varies(size_t value) const { return varies_[value]; }
    /// "layer1.conv2" of a value that was computed there; may be empty.
    const std::string& origin(size_t value) const { return origin_[value]; }
    /// The tensors that a value is or holds.
    void add_tensors(size_t value, std::vector<size_t>& tensors) const;

    TracedValue& traced(size_t value) { return trace_.graph.values[value]; }

  private:
    struct Known {
        Known(const torch::Tensor& tensor, size_t value) : alive(tensor.getIntrusivePtr()), number(value) {}
        /// So that no other tensor gets its address.
        c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> alive;
        size_t number;
    };
    using Containers = std::unordered_map<c10::IValue, size_t, c10::IValue::HashAliasedIValue,
                                          c10::IValue::CompAliasedIValues>;

    ScriptTrace& trace_;
    bool shapes_only_;
    bool varies_now_ = false;
    std::string origin_now_;
    std::vector<bool> varies_;
    std::vector<std::string> origin_;
    std::unordered_map<const c10::TensorImpl*, size_t> stored_;
    std::unordered_map<const c10::TensorImpl*, Known> known_;
    Containers containers_;
};

/// What a tuple, list or dictionary (keys too) holds.
std::vector<c10::IValue> entries_of(const c10::IValue& content);

}  // namespace mtlprune
