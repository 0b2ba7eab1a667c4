// The part of Python's pickle format that files of tensors use, read without running what it asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mtlprune {

/// A tensor as torch.save describes it: where its elements lie in which storage.
struct PickledTensor {
    std::string type;     ///< of the storage: "FloatStorage"
    std::string storage;  ///< its key
    int64_t elements;     ///< of the storage
    int64_t offset;       ///< in elements
    std::vector<int64_t> sizes, strides;
};

using PickledStateDict = std::map<std::string, PickledTensor>;

/// The tensors by name of the pickle that `bytes` start with: of a dictionary, or of the dictionary that it
/// holds under "state_dict", "model_state_dict", "model", "net" or "weights" (a training checkpoint). `end`
/// becomes where the pickle ends. Throws Error naming `place` on anything else, and on objects that only
/// Python code could build.
PickledStateDict read_state_dict_pickle(std::string_view bytes, const std::string& place, size_t& end);

/// The strings of a pickled list.
std::vector<std::string> read_list_pickle(std::string_view bytes, const std::string& place, size_t& end);

/// Of any other pickle only where it ends.
void skip_pickle(std::string_view bytes, const std::string& place, size_t& end);

}  // namespace mtlprune
