// The arguments that a TorchScript network's forward method is called with.
#pragma once

#include <torch/script.h>

#include <functional>
#include <string>
#include <vector>

namespace mtlprune {

using TensorChange = std::function<torch::Tensor(const torch::Tensor&)>;

/// The value with `map` applied to every tensor in it, those in lists, tuples and dictionaries too. The
/// containers of the result are new ones.
c10::IValue map_tensors(const c10::IValue& value, const TensorChange& map);
std::vector<c10::IValue> map_tensors(std::vector<c10::IValue> values, const TensorChange& map);

/// The value as one of this type, or nothing when it is none. Integers become real numbers where those are
/// wanted; lists, tuples and dictionaries get the declared type of elements.
c10::optional<c10::IValue> as_type(const c10::IValue& value, const c10::TypePtr& type);

/// The schema of `forward`, whose argument 0 is the module. Throws Error when the module has no such method.
const c10::FunctionSchema& forward_schema(const torch::jit::Module& module);

/// "argument 2 (mask: Optional[Tensor])" of an argument of a schema.
std::string argument_name(const c10::FunctionSchema& schema, size_t number);

/// What stands for an argument that is left out: its default, or None of an Optional; else nothing.
c10::optional<c10::IValue> default_argument(const c10::Argument& argument);

/// The arguments of `forward` as its schema declares them: `inputs` in order, then the defaults of those that
/// are left out. Tensors and containers are copies, so that forward
/// may write into them. Throws Error naming the argument that is missing, of another type, or one too many.
std::vector<c10::IValue> forward_arguments(const torch::jit::Module& module,
                                           const std::vector<c10::IValue>& inputs);

/// "a tensor", "a list", "an int", ...: what a value is, and what a type wants.
std::string kind_of(const c10::IValue& value);
std::string kind_of(const c10::Type& type);

}  // namespace mtlprune
