// How much each channel adds to what the next layers answer: the Gram matrices that ThiNet and LASSO
// selection need.
#pragma once

#include <algorithm>
#include <map>

#include "pruning/evidence/layer_rows.h"

namespace mtlprune {

/// Which answers of a layer are looked at.
enum class Responses {
    drawn,  ///< one output per place, drawn
    all     ///< every output of a place
};

/// Per asked group the sum over its readers and samples of x x^T, x [C] what each channel adds to one answer
/// (without bias), the sum of x and the number of samples (at least 1): float64, on the CPU.
class ResponseGrams {
  public:
    /// Adds a mini-batch: `places` of every layer, drawn with `key`. Throws Error naming `criterion` for a
    /// group that no layer reads.
    void add(const Evidence& batch, Responses which, int64_t places, uint64_t key,
             const std::string& criterion);
    bool empty() const { return grams_.empty(); }
    void reset();
    const torch::Tensor& gram(size_t asked) const { return grams_.at(asked); }
    /// With the mean taken out, as for a fit with an intercept.
    torch::Tensor centred(size_t asked) const;
    double samples(size_t asked) const { return std::max(1.0, counts_.at(asked).item<double>()); }

    void save(std::map<std::string, torch::Tensor>& state) const;
    void load(const std::map<std::string, torch::Tensor>& state);

  private:
    std::vector<torch::Tensor> grams_, sums_, counts_;
};

}  // namespace mtlprune
