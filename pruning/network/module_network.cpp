// C++ modules: surgery on tensors and options, checked by running the module before and after.
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/stop_watch.h"
#include "base/torch_message.h"
#include "models/eval_mode.h"
#include "pruning/graph/module_options.h"
#include "pruning/network/network.h"

namespace mtlprune {
namespace {

/// A module's parameters and buffers as they were.
class Backup {
  public:
    explicit Backup(torch::nn::Module& module) : module_(module), options_(module) {
        for (const auto& tensor : tensors()) values_.push_back(tensor.detach().clone());
    }
    void restore() const {
        const torch::NoGradGuard no_grad;
        const auto now = tensors();
        for (size_t i = 0; i < now.size(); ++i) torch::Tensor(now[i]).set_data(values_[i].clone());
        options_.restore();
    }

  private:
    std::vector<torch::Tensor> tensors() const {
        auto tensors = module_.parameters();
        const auto buffers = module_.buffers();
        tensors.insert(tensors.end(), buffers.begin(), buffers.end());
        return tensors;
    }
    torch::nn::Module& module_;
    OptionsSnapshot options_;
    std::vector<torch::Tensor> values_;
};

double largest_error(const std::vector<torch::Tensor>& found, const std::vector<torch::Tensor>& expected) {
    double error = 0;
    for (size_t i = 0; i < expected.size(); ++i)
        error = std::max(error, relative_error(found.at(i), expected[i]));
    return error;
}

SizeChanges accepted_sizes(torch::nn::Module& module, const TracedFunction& forward,
                           const std::vector<torch::Tensor>& inputs, const Coupling& coupling,
                           const CouplingOptions& options) {
    return find_other_sizes(tensor_shapes(inputs), [&](const SizeChanges& changes) {
        return leave_alike(coupling.groups,
                           couple(module, forward, with_sizes(inputs, changes), options).groups);
    });
}

bool have_equal_shapes(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const torch::Tensor& x, const torch::Tensor& y) { return x.sizes() == y.sizes(); });
}

bool mixes_channels(const Coupling& coupling, const Plan& plan) {
    for (const auto& removal : plan.groups)
        for (const auto& group : coupling.groups)
            if (group.name == removal.group && group.cross_channel) return true;
    return false;
}

/// Outputs of the original with zeros; the module is as before afterwards.
std::vector<torch::Tensor> zeroed_outputs(torch::nn::Module& module, const TracedFunction& forward,
                                          const std::vector<torch::Tensor>& inputs, const Plan& plan,
                                          const std::set<std::string>& buffers, const Backup& backup) {
    zero_removed(module, plan, buffers);
    auto outputs = forward(inputs);
    backup.restore();
    return outputs;
}

/// Rounding that a network amplifies is told from a wrong result as in verify(). The module is pruned before
/// and afterwards.
double error_in_double(torch::nn::Module& module, const TracedFunction& forward,
                       const std::vector<torch::Tensor>& inputs, const Plan& plan,
                       const std::set<std::string>& buffers, const Backup& backup) {
    double error = std::numeric_limits<double>::infinity();
    try {
        backup.restore();
        module.to(torch::kFloat64);
        const auto expected = zeroed_outputs(module, forward, in_double(inputs), plan, buffers, backup);
        apply_plan(module, plan);
        module.to(torch::kFloat64);
        error = largest_error(forward(in_double(inputs)), expected);
    } catch (const std::exception&) {  // a forward pass that wants float32
    }
    backup.restore();
    apply_plan(module, plan);
    return error;
}

class ModuleExpectation : public Expectation {
  public:
    ModuleExpectation(torch::nn::Module& module, TracedFunction forward, std::vector<torch::Tensor> inputs,
                      const Coupling& coupling, const Plan& plan, const CouplingOptions& options)
        : module_(module),
          forward_(std::move(forward)),
          inputs_(std::move(inputs)),
          plan_(plan),
          buffers_(buffers_with_weights(coupling.groups)),
          mixes_channels_(mixes_channels(coupling, plan)),
          eval_mode_(module),
          backup_(module),
          other_sizes_(accepted_sizes(module, forward_, inputs_, coupling, options)),
          expected_(zeroed(inputs_)),
          expected_at_others_(zeroed(with_sizes(inputs_, other_sizes_))) {}

    Verification check() override {
        Verification result;
        const auto failure = compare(inputs_, expected_, result);
        if (!failure.empty()) {
            result.error = std::numeric_limits<double>::infinity();
            result.first_difference = "forward";
            result.failure = failure;
        }
        if (result.passed() && !other_sizes_.empty()) check_other_sizes(result);
        if (result.passed()) return result;
        backup_.restore();
        result.first_difference = module_.name() + " (restored): " + result.first_difference;
        return result;
    }

  private:
    std::vector<torch::Tensor> zeroed(const std::vector<torch::Tensor>& inputs) const {
        return zeroed_outputs(module_, forward_, inputs, plan_, buffers_, backup_);
    }

    /// Why the module does not run; empty when it does. Without some of its channels a layer norm gives other
    /// values, so only the shapes can be compared.
    std::string compare(const std::vector<torch::Tensor>& inputs, const std::vector<torch::Tensor>& expected,
                        Verification& result) const {
        try {
            const auto found = forward_(inputs);
            result.error = mixes_channels_ ? 0 : largest_error(found, expected);
            bool is_right =
                have_equal_shapes(found, expected) && result.error <= verification_tolerance(expected.at(0));
            if (!is_right && !mixes_channels_ && plan_.edit == EditKind::remove) {
                const double exact = error_in_double(module_, forward_, inputs, plan_, buffers_, backup_);
                is_right = exact <= verification_tolerance(in_double(expected.at(0)));
                if (is_right) result.error = exact;
            }
            if (!is_right) result.first_difference = "one of the outputs";
            return "";
        } catch (const std::exception& error) {
            return torch_message(error);
        }
    }

    void check_other_sizes(Verification& result) const {
        const auto place = describe(tensor_shapes(inputs_), other_sizes_);
        Verification there;
        const auto failure = compare(with_sizes(inputs_, other_sizes_), expected_at_others_, there);
        if (!failure.empty()) {
            result.unconfirmed.push_back(place + ": " + failure);
        } else if (there.passed()) {
            result.other_sizes = other_sizes_;
        } else {
            result.error = there.error;
            result.first_difference = "other sizes (" + place + ")";
        }
    }

    torch::nn::Module& module_;
    TracedFunction forward_;
    std::vector<torch::Tensor> inputs_;
    Plan plan_;
    std::set<std::string> buffers_;
    bool mixes_channels_;
    EvalMode eval_mode_;
    Backup backup_;
    SizeChanges other_sizes_;
    std::vector<torch::Tensor> expected_, expected_at_others_;
};

}  // namespace

Coupling ModuleNetwork::couple(const CouplingOptions& options, double* seconds) const {
    StopWatch watch;
    auto graph = trace(module_, forward_, inputs_);
    if (seconds != nullptr) *seconds = watch.lap();
    return mtlprune::couple(std::move(graph), options);
}

StoredTensors stored_tensors(const torch::nn::Module& module) {
    StoredTensors tensors;
    for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value();
    for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value();
    return tensors;
}

StoredTensors ModuleNetwork::tensors() const {
    return stored_tensors(module_);
}

void ModuleNetwork::apply(const Coupling& coupling, const Plan& plan, const OnSlice& on_slice) {
    if (plan.edit == EditKind::mask)
        zero_removed(module_, plan, buffers_with_weights(coupling.groups));
    else
        apply_plan(module_, plan, on_slice);
}

std::unique_ptr<Expectation> ModuleNetwork::expect(const Coupling& coupling, const Plan& plan,
                                                   const CouplingOptions& options) {
    return std::make_unique<ModuleExpectation>(module_, forward_, inputs_, coupling, plan, options);
}

}  // namespace mtlprune
