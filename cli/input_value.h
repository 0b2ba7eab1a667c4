// What stands behind `--input`: tensors of given sizes, numbers, and containers of them.
#pragma once

#include <torch/types.h>

#include <string>

namespace mtlprune::cli {

/// Draws example inputs that their users describe in words. One drawer draws the same for the same texts.
class InputDrawer {
  public:
    /// `real`: type of tensors for which none is named.
    explicit InputDrawer(c10::ScalarType real);

    /// 1x3x224x224, 2x16:int64 (0 or 1), 2x16:int64<100 (0 to 99), 3:int, 0.5:float, true:bool, text:str,
    /// none, [value,value], (value,value), {name=value,name=value}. Real numbers are normally distributed.
    /// Throws Error on anything else.
    c10::IValue draw(const std::string& text);

  private:
    c10::IValue value(const std::string& text, size_t& at, bool is_inside);
    c10::IValue sequence(const std::string& text, size_t& at, char end);
    c10::IValue dictionary(const std::string& text, size_t& at);
    c10::IValue single(const std::string& text);
    torch::Tensor tensor(const std::string& text);

    c10::ScalarType real_;
    at::Generator generator_;
};

/// How a value of this type is written, e.g. "[1x3x224x224,1x3x224x224]" of List[Tensor].
std::string example_of(const c10::Type& type);

}  // namespace mtlprune::cli
