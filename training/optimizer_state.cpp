// Saving, restoring and shrinking the optimisers' moments.
#include <fmt/format.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include <functional>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "training/optimizer.h"
#include "training/parameter_key.h"

namespace mtlprune {
namespace {

using torch::optim::OptimizerParamState;

constexpr const char* kStateSubject = "optimizer state";

const OptimizerParamState* find_state(const torch::optim::Optimizer& optimizer,
                                      const torch::Tensor& parameter) {
    const auto it = optimizer.state().find(parameter_key(parameter));
    return it == optimizer.state().end() ? nullptr : it->second.get();
}

std::vector<torch::Tensor> all_parameters(const torch::optim::Optimizer& optimizer,
                                          const std::vector<std::string>& names) {
    std::vector<torch::Tensor> parameters;
    for (const auto& group : optimizer.param_groups())
        parameters.insert(parameters.end(), group.params().begin(), group.params().end());
    if (parameters.size() != names.size())
        throw Error(kStateSubject, "parameter names", fmt::format("{} names", parameters.size()),
                    std::to_string(names.size()));
    return parameters;
}

template <typename AdamState>
void export_adam(const AdamState& state, const std::string& name, TensorMap& entries) {
    entries[name + ".step"] = torch::tensor(state.step(), torch::kInt64);
    entries[name + ".exp_avg"] = state.exp_avg();
    entries[name + ".exp_avg_sq"] = state.exp_avg_sq();
}

void export_state(const OptimizerParamState& state, const std::string& name, TensorMap& entries) {
    if (const auto* adam = dynamic_cast<const torch::optim::AdamParamState*>(&state))
        export_adam(*adam, name, entries);
    else if (const auto* adamw = dynamic_cast<const torch::optim::AdamWParamState*>(&state))
        export_adam(*adamw, name, entries);
    else if (const auto* sgd = dynamic_cast<const torch::optim::SGDParamState*>(&state))
        entries[name + ".momentum_buffer"] = sgd->momentum_buffer();
    else
        throw Error(kStateSubject, name, "an Adam, AdamW or SGD optimizer", "another one");
}

/// Takes entries out of a state by name and notices what is left.
class Reader {
  public:
    explicit Reader(const TensorMap& entries) : left_(entries) {}

    bool has(const std::string& name) const { return left_.count(name) != 0; }

    torch::Tensor take(const std::string& name, at::IntArrayRef sizes) {
        const auto it = left_.find(name);
        if (it == left_.end()) throw Error(kStateSubject, name, "a tensor", "nothing");
        const auto tensor = it->second;
        left_.erase(it);
        if (tensor.sizes() != sizes) {
            std::ostringstream expected, found;
            expected << "shape " << sizes;
            found << tensor.sizes();
            throw Error(kStateSubject, name, expected.str(), found.str());
        }
        return tensor;
    }

    torch::Tensor take_moment(const std::string& name, const torch::Tensor& parameter) {
        // In the parameter's layout, so that updates pass over both in one order.
        return torch::empty_like(parameter, parameter.options().requires_grad(false))
            .copy_(take(name, parameter.sizes()));
    }

    void require_nothing_else() const {
        if (!left_.empty())
            throw Error(kStateSubject, left_.begin()->first, "an entry of this optimizer's parameters",
                        "an unknown one");
    }

  private:
    TensorMap left_;
};

template <typename AdamState>
std::unique_ptr<OptimizerParamState> import_adam(Reader& reader, const std::string& name,
                                                 const torch::Tensor& parameter) {
    auto state = std::make_unique<AdamState>();
    state->step(reader.take(name + ".step", {}).item<int64_t>());
    state->exp_avg(reader.take_moment(name + ".exp_avg", parameter));
    state->exp_avg_sq(reader.take_moment(name + ".exp_avg_sq", parameter));
    return state;
}

/// Null for a parameter without entries.
std::unique_ptr<OptimizerParamState> import_state(const torch::optim::Optimizer& optimizer, Reader& reader,
                                                  const std::string& name, const torch::Tensor& parameter) {
    const bool adam = dynamic_cast<const torch::optim::Adam*>(&optimizer) != nullptr;
    const bool adamw = dynamic_cast<const torch::optim::AdamW*>(&optimizer) != nullptr;
    if (adam || adamw) {
        if (!reader.has(name + ".step")) return nullptr;
        return adam ? import_adam<torch::optim::AdamParamState>(reader, name, parameter)
                    : import_adam<torch::optim::AdamWParamState>(reader, name, parameter);
    }
    if (dynamic_cast<const torch::optim::SGD*>(&optimizer) == nullptr)
        throw Error(kStateSubject, name, "an Adam, AdamW or SGD optimizer", "another one");
    if (!reader.has(name + ".momentum_buffer")) return nullptr;
    auto state = std::make_unique<torch::optim::SGDParamState>();
    state->momentum_buffer(reader.take_moment(name + ".momentum_buffer", parameter));
    return state;
}

torch::Tensor slice(const torch::Tensor& moment, int64_t dim, const torch::Tensor& kept) {
    return moment.index_select(dim, kept).contiguous(moment.suggest_memory_format());
}

using Change = std::function<torch::Tensor(const torch::Tensor& moment)>;

template <typename AdamState>
void change_adam(AdamState& state, const Change& change) {
    state.exp_avg(change(state.exp_avg()));
    state.exp_avg_sq(change(state.exp_avg_sq()));
}

/// Replaces every moment of a parameter that has any.
void change_moments(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter,
                    const Change& change) {
    const torch::NoGradGuard no_grad;
    const auto it = optimizer.state().find(parameter_key(parameter));
    if (it == optimizer.state().end()) return;
    if (auto* adam = dynamic_cast<torch::optim::AdamParamState*>(it->second.get())) {
        change_adam(*adam, change);
    } else if (auto* adamw = dynamic_cast<torch::optim::AdamWParamState*>(it->second.get())) {
        change_adam(*adamw, change);
    } else if (auto* sgd = dynamic_cast<torch::optim::SGDParamState*>(it->second.get())) {
        if (sgd->momentum_buffer().defined()) sgd->momentum_buffer(change(sgd->momentum_buffer()));
    } else {
        throw Error(kStateSubject, "pruning", "an Adam, AdamW or SGD optimizer", "another one");
    }
}

}  // namespace

TensorMap optimizer_state(const torch::optim::Optimizer& optimizer, const std::vector<std::string>& names) {
    const auto parameters = all_parameters(optimizer, names);
    TensorMap entries;
    for (size_t i = 0; i < parameters.size(); ++i)
        if (const auto* state = find_state(optimizer, parameters[i])) export_state(*state, names[i], entries);
    return entries;
}

void load_optimizer_state(torch::optim::Optimizer& optimizer, const std::vector<std::string>& names,
                          const TensorMap& state) {
    torch::NoGradGuard no_grad;
    const auto parameters = all_parameters(optimizer, names);
    Reader reader(state);
    OptimizerStateTable table;
    for (size_t i = 0; i < parameters.size(); ++i)
        if (auto loaded = import_state(optimizer, reader, names[i], parameters[i]))
            table[parameter_key(parameters[i])] = std::move(loaded);
    reader.require_nothing_else();
    optimizer.state() = std::move(table);
}

void slice_optimizer_state(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter, int64_t dim,
                           const torch::Tensor& kept_indices) {
    const auto kept = kept_indices.to(parameter.device());
    change_moments(optimizer, parameter,
                   [&](const torch::Tensor& moment) { return slice(moment, dim, kept); });
}

void zero_optimizer_state(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter, int64_t dim,
                          const torch::Tensor& indices) {
    const auto zeroed = indices.to(parameter.device());
    change_moments(optimizer, parameter, [&](const torch::Tensor& moment) {
        return torch::Tensor(moment).index_fill_(dim, zeroed, 0);
    });
}

void mask_optimizer_state(torch::optim::Optimizer& optimizer, const torch::Tensor& parameter,
                          const torch::Tensor& kept) {
    const auto zeroed = kept.to(parameter.device()).logical_not();
    change_moments(optimizer, parameter, [&](const torch::Tensor& moment) {
        return torch::Tensor(moment).masked_fill_(zeroed, 0);
    });
}

}  // namespace mtlprune
