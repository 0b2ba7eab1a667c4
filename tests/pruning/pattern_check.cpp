#include "tests/pruning/pattern_check.h"

#include <algorithm>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "base/error.h"
#include "pruning/graph/script_network.h"
#include "pruning/network/prune.h"
#include "pruning/surgery/other_sizes.h"
#include "pruning/surgery/surgery.h"

namespace mtlprune::toy {
namespace {

constexpr uint64_t kFreshInputs = 500;  ///< compared on inputs that the trace has not seen

/// Relative, of results that rounding alone makes differ.
double rounding_of(const std::vector<torch::Tensor>& inputs) {
    return inputs.front().scalar_type() == torch::kFloat64 ? 1e-10 : 1e-4;
}

std::vector<NamedValue> copies(const std::vector<NamedValue>& values) {
    auto result = values;
    for (auto& item : result) item.value = item.value.clone();
    return result;
}

/// What the plan should leave: the source, run with zeros.
std::vector<torch::Tensor> expected_outputs(const SourceNetwork& network,
                                            const std::vector<NamedValue>& values, const Plan& plan,
                                            const std::vector<torch::Tensor>& inputs) {
    const auto zeroed = copies(values);
    TensorMap parameters;
    for (const auto& item : zeroed)
        if (!item.is_buffer) parameters.emplace(item.name, item.value);
    zero_slices(parameters, plan, network.keep_rows);
    return run(script_module(network, zeroed, /*masked=*/true), inputs);
}

TensorMap tensors_of(const torch::nn::Module& module) {
    TensorMap tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace(item.key(), item.value());
    for (const auto& item : module.named_buffers()) tensors.emplace(item.key(), item.value());
    return tensors;
}

TensorMap tensors_of(const torch::jit::Module& module) {
    TensorMap tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace(item.name, item.value);
    for (const auto& item : module.named_buffers()) tensors.emplace(item.name, item.value);
    return tensors;
}

/// The engine's own zeroing, which users compare with, does what the test's does.
void expect_same_zeros(const SourceNetwork& network, const std::vector<NamedValue>& original,
                       const Plan& plan) {
    const auto by_engine = copies(original), by_hand = copies(original);
    auto module = script_module(network, by_engine);
    zero_removed(module, plan);
    TensorMap parameters;
    for (const auto& item : by_hand)
        if (!item.is_buffer) parameters.emplace(item.name, item.value);
    zero_slices(parameters, plan);
    for (size_t i = 0; i < by_hand.size(); ++i)
        if (!by_engine[i].value.equal(by_hand[i].value))
            throw std::logic_error("zero_removed leaves other values in " + by_hand[i].name);
}

using Forward = std::function<std::vector<torch::Tensor>(const std::vector<torch::Tensor>&)>;

using Couple = std::function<std::vector<Group>(const std::vector<torch::Tensor>&)>;

/// Sizes of the inputs at which the network, before it is pruned, gives what its source gives (a trace holds
/// some of the example's sizes), and the same channels leave together.
SizeChanges sizes_before(const Couple& couple, const Forward& forward, const torch::jit::Module& source,
                         const std::vector<Group>& groups, const std::vector<torch::Tensor>& inputs) {
    return find_other_sizes(tensor_shapes(inputs), [&](const SizeChanges& changes) {
        const auto others = with_sizes(inputs, changes);
        if (!leave_alike(groups, couple(others))) return false;
        return relative_error(forward(others), run(source, others)) < rounding_of(others);
    });
}

/// The pruned network must run there too; what it should give is not known where the source, whose masks have
/// the example's sizes, does not run.
double error_at(const SizeChanges& changes, const Forward& pruned, const SourceNetwork& network,
                const std::vector<NamedValue>& original, const Plan& plan,
                const std::vector<torch::Tensor>& inputs) {
    if (changes.empty()) return 0;
    const auto others = with_sizes(inputs, changes);
    const auto found = pruned(others);
    std::vector<torch::Tensor> expected;
    try {
        expected = expected_outputs(network, original, plan, others);
    } catch (const std::exception&) {
        return 0;
    }
    return relative_error(found, expected);
}

Outcome prune_script(const SourceNetwork& network, torch::jit::Module module,
                     const std::vector<NamedValue>& original, const Choice& choice) {
    const auto type = original.front().value.scalar_type();
    const auto examples = inputs_of(network, type);
    const auto coupling = mtlprune::couple(module, {examples.begin(), examples.end()});
    Outcome outcome{
        coupling.groups, make_plan(coupling.groups, choice(coupling.groups, tensors_of(module))), {}, 0};
    if (network.keep_rows.empty()) expect_same_zeros(network, original, outcome.plan);
    const auto inputs = inputs_of(network, type, kFreshInputs);
    const Forward forward = [&](const std::vector<torch::Tensor>& given) { return run(module, given); };
    const auto couple_at = [&](const std::vector<torch::Tensor>& given) {
        return mtlprune::couple(module, {given.begin(), given.end()}).groups;
    };
    const auto changes =
        sizes_before(couple_at, forward, script_module(network, original), outcome.groups, inputs);
    apply_plan(module, coupling, outcome.plan);
    outcome.error =
        relative_error(forward(inputs), expected_outputs(network, original, outcome.plan, inputs));
    outcome.error =
        std::max(outcome.error, error_at(changes, forward, network, original, outcome.plan, inputs));
    // What is written to a file is what was pruned.
    std::stringstream file;
    module.save(file);
    outcome.error =
        std::max(outcome.error, relative_error(run(torch::jit::load(file), inputs), run(module, inputs)));
    outcome.left = tensors_of(module);
    return outcome;
}

}  // namespace

const char* name_of(Form form) {
    return form == Form::cpp ? "C++ module" : form == Form::script ? "script" : "trace";
}

Outcome prune_and_compare(const SourceNetwork& network, const Network& pruned,
                          const std::vector<NamedValue>& original, const Choice& choice) {
    const auto type = original.front().value.scalar_type();
    auto groups = mtlprune::couple(*pruned.module, pruned.forward, inputs_of(network, type)).groups;
    Outcome outcome{std::move(groups), {}, {}, 0};
    const auto inputs = inputs_of(network, type, kFreshInputs);
    const auto couple_at = [&](const std::vector<torch::Tensor>& given) {
        return mtlprune::couple(*pruned.module, pruned.forward, given).groups;
    };
    const auto changes =
        sizes_before(couple_at, pruned.forward, script_module(network, original), outcome.groups, inputs);
    outcome.plan =
        apply_plan(*pruned.module, outcome.groups, choice(outcome.groups, tensors_of(*pruned.module)));
    outcome.error =
        relative_error(pruned.forward(inputs), expected_outputs(network, original, outcome.plan, inputs));
    outcome.error =
        std::max(outcome.error, error_at(changes, pruned.forward, network, original, outcome.plan, inputs));
    outcome.left = tensors_of(*pruned.module);
    return outcome;
}

Outcome prune_and_compare(const SourceNetwork& network, Form form, c10::ScalarType type,
                          const Choice& choice) {
    const auto original = values_of(network, type);
    const auto held = copies(original);
    if (form == Form::cpp) return prune_and_compare(network, cpp_module(network, held), original, choice);
    return prune_script(network,
                        form == Form::script ? script_module(network, held) : traced_module(network, held),
                        original, choice);
}

std::string refusal_problem(const SourceNetwork& network, c10::ScalarType type) {
    const auto module = cpp_module(network, values_of(network, type));
    const auto inputs = inputs_of(network, type);
    const auto before = module.forward(inputs);
    try {
        ModuleNetwork face(*module.module, module.forward, inputs);
        prune(face, criteria().make("l2"));
        return "";
    } catch (const Error& error) {
        const std::string text = error.what();
        if (text.find("(restored)") == std::string::npos) return text;
    }
    return relative_error(module.forward(inputs), before) == 0 ? "" : "the module was not restored";
}

}  // namespace mtlprune::toy
