// Every pattern of the gauntlet as a C++ module, as a script and as a trace: half of every free group's
// channels leave, and the network must then compute what the original computes with the leaving slices set to
// zero.
//   MTLPRUNE_PATTERN=glu build/bin/test_pruning --gtest_filter=*Gauntlet*     only patterns whose name
//   contains "glu"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstdlib>

#include "tests/pruning/gauntlet_networks.h"
#include "tests/pruning/pattern_check.h"

namespace mtlprune::gauntlet_test {
namespace {

using toy::Form;
using toy::NamedValue;
using toy::SourceNetwork;

struct Precision {
    c10::ScalarType type;
    double tolerance;
};
constexpr Precision kDouble = {torch::kFloat64, 1e-10}, kSingle = {torch::kFloat32, 1e-5};

void expect_right(const SourceNetwork& network, const std::string& form, const toy::Outcome& outcome,
                  double tolerance) {
    EXPECT_LT(outcome.error, tolerance) << network.name << " as a " << form;
    std::string reasons;
    for (const auto& group : outcome.groups)
        if (group.frozen) reasons += fmt::format("\n  {}: {}", group.name, group.reason);
    for (const auto& [name, shape] : network.after) {
        ASSERT_TRUE(outcome.left.contains(name)) << name;
        EXPECT_EQ(fmt::format("{}", outcome.left.at(name).sizes().vec()), fmt::format("{}", shape))
            << network.name << " as a " << form << ": " << name << "; frozen:" << reasons;
    }
}

void expect_refusal(const SourceNetwork& network, const Precision& precision) {
    EXPECT_EQ(toy::refusal_problem(network, precision.type), "") << network.name;
}

/// A C++ module whose forward pass has literal sizes cannot be rewritten: it may be refused.
void check(const SourceNetwork& network, Form form, const Precision& precision) {
    const bool may_refuse = form == Form::cpp && network.has_literals;
    try {
        const auto outcome = toy::prune_and_compare(network, form, precision.type, toy::weaker_half);
        auto expected = network;
        if (may_refuse) expected.after.clear();
        // A size that C++ code reads is a number in its trace: only the comparison that prune() makes
        // tells.
        if (may_refuse && !(outcome.error < precision.tolerance)) return expect_refusal(network, precision);
        expect_right(expected, toy::name_of(form), outcome, precision.tolerance);
    } catch (const std::exception& error) {
        // Source text has the groups of a depthwise convolution as a number; torch::nn's modules follow.
        const bool counts_groups =
            form == Form::cpp && std::string(error.what()).find("Given groups=") != std::string::npos;
        if (may_refuse || counts_groups)
            expect_refusal(network, precision);
        else
            ADD_FAILURE() << network.name << " as a " << toy::name_of(form) << ": " << error.what();
    }
}

void for_each(const std::vector<SourceNetwork>& family,
              const std::function<void(const SourceNetwork&)>& body) {
    const torch::NoGradGuard no_grad;
    const char* only = std::getenv("MTLPRUNE_PATTERN");
    for (const auto& network : family)
        if (only == nullptr || network.name.find(only) != std::string::npos) body(network);
}

struct Family {
    const char* name;
    std::vector<SourceNetwork> (*networks)();
};

void PrintTo(const Family& family, std::ostream* out) {
    *out << family.name;
}

/// LibTorch's C++ tracer records what torch.tensor made without its content.
bool can_be_traced(const SourceNetwork& network) {
    return network.body.find("torch.tensor(") == std::string::npos;
}

struct Patterns : testing::TestWithParam<Family> {
    std::vector<SourceNetwork> family() const { return GetParam().networks(); }
    void check_all(Form form) const {
        for_each(family(), [&](const SourceNetwork& network) {
            if (form == Form::trace && !can_be_traced(network)) return;
            check(network, form, kDouble);
            check(network, form, kSingle);
        });
    }
};

TEST_P(Patterns, CppModulesEqualTheirZeroedOriginals) {
    check_all(Form::cpp);
}
TEST_P(Patterns, ScriptsEqualTheirZeroedOriginals) {
    check_all(Form::script);
}
TEST_P(Patterns, TracesEqualTheirZeroedOriginals) {
    check_all(Form::trace);
}

/// The fixtures themselves: the masked text, the interpreted module and the trace compute what the script
/// does.
TEST_P(Patterns, AllFormsOfANetworkAgree) {
    for_each(family(), [](const SourceNetwork& network) {
        SCOPED_TRACE(network.name);
        const auto values = toy::values_of(network);
        const auto inputs = toy::inputs_of(network);
        try {
            const auto expected = toy::run(toy::script_module(network, values), inputs);
            EXPECT_FALSE(expected.empty());
            const auto masked = toy::run(toy::script_module(network, values, /*masked=*/true), inputs);
            EXPECT_LT(toy::relative_error(masked, expected), 1e-12);
            EXPECT_LT(toy::relative_error(toy::cpp_module(network, values).forward(inputs), expected), 1e-12);
            if (!can_be_traced(network)) return;
            EXPECT_LT(toy::relative_error(toy::run(toy::traced_module(network, values), inputs), expected),
                      1e-12);
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what() << "\n" << toy::source_text(network);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(
    Gauntlet, Patterns,
    testing::Values(Family{"Convolutions", toy::gauntlet_convolutions},
                    Family{"Joints", toy::gauntlet_joints}, Family{"Ends", toy::gauntlet_ends},
                    Family{"Layouts", toy::gauntlet_layouts}, Family{"Attention", toy::gauntlet_attention},
                    Family{"Published", toy::gauntlet_published}, Family{"Mixers", toy::gauntlet_mixers},
                    Family{"Norms", toy::gauntlet_norms}, Family{"Moving", toy::gauntlet_moving},
                    Family{"Made", toy::gauntlet_made}, Family{"Barriers", toy::gauntlet_barriers},
                    Family{"Traps", toy::gauntlet_traps}, Family{"Literals", toy::gauntlet_literals}),
    [](const auto& info) { return info.param.name; });

void copy_values(torch::nn::Module& module, const std::vector<NamedValue>& values) {
    auto parameters = module.named_parameters(), buffers = module.named_buffers();
    for (const auto& item : values) {
        auto* target = (item.is_buffer ? buffers : parameters).find(item.name);
        ASSERT_NE(target, nullptr) << item.name;
        target->copy_(item.value);
    }
}

/// Modules of torch::nn with the weights of the source pattern; their options must follow the surgery.
TEST(Gauntlet, ModulesOfTorchNnEqualTheirZeroedOriginals) {
    const auto modules = toy::gauntlet_modules();
    size_t checked = 0;
    for_each(toy::gauntlet(), [&](const SourceNetwork& network) {
        if (!modules.contains(network.name)) return;
        ++checked;
        SCOPED_TRACE(network.name);
        try {
            const auto values = toy::values_of(network);
            const auto module = modules.at(network.name)();
            copy_values(*module.module, values);
            const auto inputs = toy::inputs_of(network);
            const auto expected = toy::run(toy::script_module(network, values), inputs);
            EXPECT_LT(toy::relative_error(module.forward(inputs), expected), 1e-12)
                << "differs from its source";
            expect_right(network, "module of torch::nn",
                         toy::prune_and_compare(network, module, values, toy::weaker_half),
                         kDouble.tolerance);
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
    });
    if (std::getenv("MTLPRUNE_PATTERN") != nullptr) return;
    EXPECT_EQ(checked, modules.size());
}

}  // namespace
}  // namespace mtlprune::gauntlet_test
