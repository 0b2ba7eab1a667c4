// Whether the processor takes the smallest numbers for zero.
#pragma once

namespace mtlprune {

/// Results and operands below the smallest normal number are zero at the moment, in this thread.
bool flushes_denormals();

/// As long as it lives and `wanted` is true, subnormal numbers are taken for zero by this thread and
/// LibTorch's workers (x86: FTZ and DAZ). Arithmetic on them is a hundred times slower on some processors,
/// and weights that decay become subnormal. GPUs are not affected. Throws Error naming the key
/// "flush_denormals" where LibTorch cannot.
class FlushDenormals {
  public:
    explicit FlushDenormals(bool wanted);
    ~FlushDenormals();
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

  private:
    bool changed_ = false;
};

}  // namespace mtlprune
