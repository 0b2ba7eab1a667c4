// The one face of everything that can be pruned: C++ modules and TorchScript files.
#pragma once

#include <torch/script.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pruning/coupling/groups.h"
#include "pruning/evidence/evidence.h"
#include "pruning/surgery/plan.h"
#include "pruning/surgery/surgery.h"
#include "pruning/surgery/verification.h"

namespace mtlprune {

/// What a network should compute once a plan was carried out, written down before.
class Expectation {
  public:
    virtual ~Expectation() = default;
    /// Runs the pruned network. A C++ module that computes something else, or nothing at all (sizes written
    /// into its code), has been restored when this returns.
    virtual Verification check() = 0;
};

StoredTensors stored_tensors(const torch::nn::Module& module);
StoredTensors stored_tensors(const torch::jit::Module& module);

class Network {
  public:
    virtual ~Network() = default;

    /// Traces the network on its example inputs and finds the channels that leave together.
    /// `seconds`, when given, is told how long the trace took.
    virtual Coupling couple(const CouplingOptions& options, double* seconds = nullptr) const = 0;

    /// Parameters and buffers as they are now.
    virtual StoredTensors tensors() const = 0;

    /// Carries out a plan made for `coupling`. When channels were removed from a file, its code is another:
    /// couple again to go on. Throws Error before anything is changed when the plan does not fit.
    virtual void apply(const Coupling& coupling, const Plan& plan, const OnSlice& on_slice = {}) = 0;

    /// What the check of a pruned network cannot see.
    virtual std::vector<std::string> notes(const Coupling&, const Plan&) const { return {}; }

    /// What the network should compute after apply(coupling, plan), to be asked for before.
    virtual std::unique_ptr<Expectation> expect(const Coupling& coupling, const Plan& plan,
                                                const CouplingOptions& options) = 0;

    /// A plan needs the coupling of the code as it is now, not of that before the last removal.
    virtual bool edits_code() const = 0;
};

/// A C++ module and its forward pass, which `forward` runs; both must outlive it. Inputs need the right
/// shapes and types; their contents matter to the check alone.
class ModuleNetwork : public Network {
  public:
    ModuleNetwork(torch::nn::Module& module, TracedFunction forward, std::vector<torch::Tensor> inputs)
        : module_(module), forward_(std::move(forward)), inputs_(std::move(inputs)) {}
    Coupling couple(const CouplingOptions& options, double* seconds = nullptr) const override;
    StoredTensors tensors() const override;
    void apply(const Coupling& coupling, const Plan& plan, const OnSlice& on_slice = {}) override;
    std::unique_ptr<Expectation> expect(const Coupling& coupling, const Plan& plan,
                                        const CouplingOptions& options) override;
    bool edits_code() const override { return false; }

  private:
    torch::nn::Module& module_;
    TracedFunction forward_;
    std::vector<torch::Tensor> inputs_;
};

/// A TorchScript module, whose tensors are pruned in place (copies made with deepcopy() are not touched;
/// other handles of the same module share the tensors but not the new code, and are of no use any more).
/// Inputs are what forward takes: tensors, numbers, strings, None, or lists, tuples and dictionaries of them;
/// arguments left out have their defaults.
class ScriptNetwork : public Network {
  public:
    ScriptNetwork(torch::jit::Module& module, std::vector<c10::IValue> inputs)
        : module_(module), inputs_(std::move(inputs)) {}
    Coupling couple(const CouplingOptions& options, double* seconds = nullptr) const override;
    StoredTensors tensors() const override;
    void apply(const Coupling& coupling, const Plan& plan, const OnSlice& on_slice = {}) override;
    std::unique_ptr<Expectation> expect(const Coupling& coupling, const Plan& plan,
                                        const CouplingOptions& options) override;
    std::vector<std::string> notes(const Coupling& coupling, const Plan& plan) const override;
    bool edits_code() const override { return true; }

  private:
    torch::jit::Module& module_;
    std::vector<c10::IValue> inputs_;
};

}  // namespace mtlprune
