// What runs a network for its predictions: LibTorch in several ways, other runtimes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/registry.h"
#include "bench/kit/subject.h"
#include "models/model.h"

namespace mtlprune {

/// A network and what it is run on.
struct Workload {
    std::function<ModelPtr()> make_model;  ///< one of its own each time, with the same weights
    torch::Tensor image;                   ///< [B,3,H,W], float32 on the CPU
};

class Engine {
  public:
    virtual ~Engine() = default;
    /// Why it cannot run on this machine; empty when it can.
    virtual std::string missing() const { return {}; }
    /// Of what runs the network, where that is not LibTorch; for the results' context.
    virtual std::string version() const { return {}; }
    /// Largest difference from LibTorch's float32 results that it may have, relative to their largest value.
    virtual double tolerance() const { return 1e-3; }
    /// Everything that happens once: weights converted, layouts chosen, code compiled. Throws Error when it
    /// cannot run the network.
    virtual std::unique_ptr<Subject> prepare(const Workload& workload) const = 0;
};

/// Every engine; one that needs something that is not there says so in missing().
const Registry<Engine>& engines();

/// prepare(), and what it computes compared with LibTorch's own convolutions in float32. Throws Error when
/// they differ.
std::unique_ptr<Subject> prepare_checked(const Engine& engine, const std::string& name,
                                         const Workload& workload);

// One function per entry, in the file of the same name under engines/.
Registry<Engine>::Entry mtlprune_engine();
Registry<Engine>::Entry eager_engine();
Registry<Engine>::Entry torchscript_engine();
Registry<Engine>::Entry openvino_engine();
Registry<Engine>::Entry onnxruntime_engine();

}  // namespace mtlprune
