// Prunes a source network in one of its forms and compares it with what the original computes with zeros.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pruning/surgery/plan.h"
#include "tests/pruning/oracle.h"
#include "tests/pruning/source_networks.h"

namespace mtlprune::toy {

enum class Form { cpp, script, trace };

const char* name_of(Form form);

struct Outcome {
    std::vector<Group> groups;  ///< before pruning
    Plan plan;
    TensorMap left;  ///< parameters and buffers afterwards
    double error;    ///< of the outputs, relative
};

using Choice = std::function<std::vector<std::vector<int64_t>>(const std::vector<Group>&, const TensorMap&)>;

/// `pruned` holds the values `original` and is pruned in place.
Outcome prune_and_compare(const SourceNetwork& network, const Network& pruned,
                          const std::vector<NamedValue>& original, const Choice& choice);
Outcome prune_and_compare(const SourceNetwork& network, Form form, c10::ScalarType type,
                          const Choice& choice);

/// A C++ module with numbers in its code that cannot follow: prune() must find that and give the module
/// back as it was, or prune it right. Says what went wrong otherwise.
std::string refusal_problem(const SourceNetwork& network, c10::ScalarType type);

}  // namespace mtlprune::toy
