// Every pattern of the gauntlet as a C++ module, as a script and as a trace: half of every free group's channels
// leave, and the network must then compute what the original computes with the leaving slices set to zero.
//   MTLPRUNE_PATTERN=glu build/bin/test_pruning_gauntlet     only patterns whose name contains "glu"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "datasets/error.h"
#include "pruning/coupling/surgery.h"
#include "tests/pruning/gauntlet_networks.h"
#include "tests/pruning/oracle.h"
#if __has_include("pruning/coupling/script_network.h")
#include "pruning/coupling/script_network.h"
#define MTLPRUNE_SCRIPT_NETWORK
#endif

namespace mtlprune {
namespace {

using toy::NamedValue;
using toy::SourceNetwork;
using toy::TensorMap;

std::vector<NamedValue> copies(const std::vector<NamedValue>& values) {
    auto result = values;
    for (auto& item : result) item.value = item.value.clone();
    return result;
}

TensorMap parameters_in(const std::vector<NamedValue>& values) {
    TensorMap tensors;
    for (const auto& item : values)
        if (!item.is_buffer) tensors.emplace(item.name, item.value);
    return tensors;
}

/// What the plan should leave: the source, run with zeros.
std::vector<torch::Tensor> expected_outputs(const SourceNetwork& network, const std::vector<NamedValue>& values,
                                            const Plan& plan, const std::vector<torch::Tensor>& inputs) {
    const auto zeroed = copies(values);
    auto parameters = parameters_in(zeroed);
    toy::zero_slices(parameters, plan, network.keep_rows);
    return toy::run(toy::script_module(network, zeroed, /*masked=*/true), inputs);
}

void expect_shapes(const SourceNetwork& network, const TensorMap& found, const std::vector<Group>& groups) {
    std::string reasons;
    for (const auto& group : groups)
        if (group.frozen) reasons += fmt::format("\n  {}: {}", group.name, group.reason);
    for (const auto& [name, shape] : network.after) {
        ASSERT_TRUE(found.contains(name)) << name;
        EXPECT_EQ(found.at(name).sizes().vec(), shape) << network.name << ": " << name << "; frozen:" << reasons;
    }
}

struct Precision {
    c10::ScalarType type;
    double tolerance;
};
constexpr Precision kDouble = {torch::kFloat64, 1e-10}, kSingle = {torch::kFloat32, 1e-5};

TensorMap tensors_of(const torch::nn::Module& module) {
    TensorMap tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace(item.key(), item.value());
    for (const auto& item : module.named_buffers()) tensors.emplace(item.key(), item.value());
    return tensors;
}

/// Prunes `pruned`, which holds `values`, and compares. A C++ module with literal sizes may refuse instead.
void check_module(const SourceNetwork& network, const toy::Network& pruned, const std::vector<NamedValue>& original,
                  const Precision& precision) {
    const auto coupling = couple(*pruned.module, pruned.forward, toy::inputs_of(network, precision.type));
    const auto removed = toy::weaker_half(coupling.groups, tensors_of(*pruned.module));
    const auto inputs = toy::inputs_of(network, precision.type, 500);
    std::vector<torch::Tensor> found;
    Plan plan;
    try {
        plan = apply_plan(*pruned.module, coupling.groups, removed);
        found = pruned.forward(inputs);
    } catch (const std::exception& error) {
        EXPECT_TRUE(network.has_literals) << network.name << ": " << error.what();
        return;
    }
    EXPECT_LT(toy::relative_error(found, expected_outputs(network, original, plan, inputs)), precision.tolerance)
        << network.name << " as a C++ module";
    if (!network.has_literals) expect_shapes(network, tensors_of(*pruned.module), coupling.groups);
}

void check_cpp(const SourceNetwork& network, const Precision& precision) {
    const auto original = toy::values_of(network, precision.type);
    check_module(network, toy::cpp_module(network, copies(original)), original, precision);
}

#ifdef MTLPRUNE_SCRIPT_NETWORK
TensorMap tensors_of(const torch::jit::Module& module) {
    TensorMap tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace(item.name, item.value);
    for (const auto& item : module.named_buffers()) tensors.emplace(item.name, item.value);
    return tensors;
}

void check_script(const SourceNetwork& network, const Precision& precision, bool traced) {
    const auto original = toy::values_of(network, precision.type);
    const auto held = copies(original);
    auto module = traced ? toy::traced_module(network, held) : toy::script_module(network, held);
    const auto coupling = couple(module, toy::inputs_of(network, precision.type));
    const auto plan = make_plan(coupling.groups, toy::weaker_half(coupling.groups, tensors_of(module)));
    apply_plan(module, coupling, plan);
    const auto inputs = toy::inputs_of(network, precision.type, 500);
    EXPECT_LT(toy::relative_error(toy::run(module, inputs), expected_outputs(network, original, plan, inputs)),
              precision.tolerance)
        << network.name << (traced ? " as a trace" : " as a script");
    expect_shapes(network, tensors_of(module), coupling.groups);
}
#endif

using Check = std::function<void(const SourceNetwork&)>;

void for_each(const std::vector<SourceNetwork>& family, const Check& check) {
    const torch::NoGradGuard no_grad;
    const char* only = std::getenv("MTLPRUNE_PATTERN");
    for (const auto& network : family) {
        if (only != nullptr && network.name.find(only) == std::string::npos) continue;
        SCOPED_TRACE(network.name);
        try {
            check(network);
        } catch (const std::exception& error) {
            ADD_FAILURE() << network.name << ": " << error.what() << "\n" << toy::source_text(network);
        }
    }
}

using Family = std::vector<SourceNetwork> (*)();

struct Patterns : testing::TestWithParam<std::pair<const char*, Family>> {};

TEST_P(Patterns, CppModulesEqualTheirZeroedOriginals) {
    for_each(GetParam().second(), [](const SourceNetwork& network) {
        check_cpp(network, kDouble);
        check_cpp(network, kSingle);
    });
}

#ifdef MTLPRUNE_SCRIPT_NETWORK
TEST_P(Patterns, ScriptsEqualTheirZeroedOriginals) {
    for_each(GetParam().second(), [](const SourceNetwork& network) { check_script(network, kDouble, false); });
}

TEST_P(Patterns, TracesEqualTheirZeroedOriginals) {
    for_each(GetParam().second(), [](const SourceNetwork& network) {
        check_script(network, kDouble, true);
        check_script(network, kSingle, true);
    });
}
#endif

void copy_values(torch::nn::Module& module, const std::vector<NamedValue>& values) {
    for (const auto& item : values) {
        const auto name = item.name;
        auto* target = item.is_buffer ? module.named_buffers().find(name) : nullptr;
        auto parameters = module.named_parameters();
        if (!item.is_buffer) target = parameters.find(name);
        ASSERT_NE(target, nullptr) << name;
        target->copy_(item.value);
    }
}

/// Modules of torch::nn with the weights of the source pattern; their options must follow the surgery.
TEST(Gauntlet, ModulesOfTorchNnEqualTheirZeroedOriginals) {
    const auto modules = toy::gauntlet_modules();
    std::vector<SourceNetwork> family;
    for (const auto& network : toy::gauntlet())
        if (modules.contains(network.name)) family.push_back(network);
    EXPECT_EQ(family.size(), modules.size());
    for_each(family, [&](const SourceNetwork& network) {
        const auto values = toy::values_of(network);
        const auto module = modules.at(network.name)();
        copy_values(*module.module, values);
        const auto inputs = toy::inputs_of(network);
        EXPECT_LT(toy::relative_error(module.forward(inputs), toy::run(toy::script_module(network, values), inputs)),
                  1e-12)
            << network.name << " as a module differs from its source";
        check_module(network, module, values, kDouble);
    });
}

/// The fixtures themselves: the masked text, the interpreted module and the trace compute what the script does.
TEST_P(Patterns, AllFormsOfANetworkAgree) {
    for_each(GetParam().second(), [](const SourceNetwork& network) {
        const auto values = toy::values_of(network);
        const auto inputs = toy::inputs_of(network);
        const auto expected = toy::run(toy::script_module(network, values), inputs);
        EXPECT_FALSE(expected.empty()) << network.name;
        EXPECT_LT(toy::relative_error(toy::run(toy::script_module(network, values, true), inputs), expected), 1e-12)
            << network.name;
        EXPECT_LT(toy::relative_error(toy::cpp_module(network, values).forward(inputs), expected), 1e-12)
            << network.name;
        EXPECT_LT(toy::relative_error(toy::run(toy::traced_module(network, values), inputs), expected), 1e-12)
            << network.name;
    });
}

INSTANTIATE_TEST_SUITE_P(Gauntlet, Patterns,
                         testing::Values(std::pair{"Convolutions", &toy::gauntlet_convolutions},
                                         std::pair{"Joints", &toy::gauntlet_joints},
                                         std::pair{"Layouts", &toy::gauntlet_layouts},
                                         std::pair{"Mixers", &toy::gauntlet_mixers},
                                         std::pair{"Barriers", &toy::gauntlet_barriers},
                                         std::pair{"Literals", &toy::gauntlet_literals}),
                         [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace mtlprune
