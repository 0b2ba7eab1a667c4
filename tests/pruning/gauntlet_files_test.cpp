// The gauntlet's TorchScript files, traced in Python: half of every free group's channels leave.
//   MTLPRUNE_GAUNTLET_DIR   the folder of NAME.pt and NAME.io.pt
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include <cstdlib>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pruning/graph/script_network.h"
#include "tests/data_folder.h"
#include "tests/pruning/gauntlet_networks.h"
#include "tests/pruning/masked_norms.h"
#include "tests/pruning/oracle.h"

namespace mtlprune::gauntlet_files_test {
namespace {

using toy::Shape;
using toy::SourceNetwork;
using toy::TensorMap;

std::filesystem::path folder() {
    return data_folder("MTLPRUNE_GAUNTLET_DIR", "reference/torch_pruning/gauntlet");
}

std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
        const auto name = entry.path().stem();
        if (entry.path().extension() == ".pt" && name.extension().empty()) found.push_back(name.string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

/// One tensor of NAME.io.pt.
torch::Tensor stored(const std::string& name, const std::string& key) {
    const auto bytes = read_file(folder() / (name + ".io.pt"));
    return torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict().at(key).toTensor();
}

torch::jit::Module load(const std::string& name) {
    return torch::jit::load((folder() / (name + ".pt")).string());
}

TensorMap parameters_of(const torch::jit::Module& module) {
    TensorMap tensors;
    for (const auto& item : module.named_parameters()) tensors.emplace(item.name, item.value);
    return tensors;
}

/// Shapes that tensors must have afterwards, where the file's names differ from the source's.
const std::map<std::string, std::map<std::string, Shape>> kLeft = {
    {"mha_module", {{"e.weight", {8, 12}}, {"m.in_proj_weight", {24, 8}}, {"m.out_proj.weight", {8, 8}}}},
    {"unflatten_to_conv", {{"f.weight", {64, 12}}, {"o.weight", {4, 4, 1, 1}}}},
    {"weight_norm_conv",
     {{"a.weight_g", {8, 1, 1, 1}}, {"a.weight_v", {8, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}},
    {"scale_param_1d", {{"w", {8, 1, 1}}, {"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}}};

/// The pattern with the same name among the sources; an empty one when there is none.
SourceNetwork source_of(const std::string& name) {
    for (const auto& network : toy::gauntlet())
        if (network.name == name) return network;
    return {name, {}, {}, "", {}};
}

/// The dimensions that shrink in the source shrink to the same size in the file.
void expect_removed(const SourceNetwork& source, const TensorMap& before, const TensorMap& after) {
    if (const auto known = kLeft.find(source.name); known != kLeft.end()) {
        for (const auto& [tensor, left] : known->second)
            EXPECT_EQ(after.at(tensor).sizes().vec(), left) << source.name << ": " << tensor;
        return;
    }
    TensorMap original;
    for (const auto& item : toy::values_of(source)) original.emplace(item.name, item.value);
    for (const auto& [tensor, left] : source.after) {
        if (!before.contains(tensor) || before.at(tensor).dim() != static_cast<int64_t>(left.size()))
            continue;
        auto expected = before.at(tensor).sizes().vec();
        for (size_t dim = 0; dim < left.size(); ++dim)
            if (left[dim] != original.at(tensor).size(static_cast<int64_t>(dim))) expected[dim] = left[dim];
        EXPECT_EQ(after.at(tensor).sizes().vec(), expected) << source.name << ": " << tensor;
    }
}

std::vector<torch::Tensor> expected_outputs(const std::string& name, const Plan& plan,
                                            const torch::Tensor& input) {
    const auto original = load(name);
    toy::mask_norms(original);
    auto parameters = parameters_of(original);
    toy::zero_slices(parameters, plan, {"a.weight_v"});
    return toy::run(original, {input});
}

TEST(GauntletFiles, PrunedFilesEqualTheirZeroedOriginals) {
    if (!std::filesystem::is_directory(folder()))
        GTEST_SKIP() << "no gauntlet in " << folder() << " (set MTLPRUNE_GAUNTLET_DIR)";
    const torch::NoGradGuard no_grad;
    EXPECT_GE(names().size(), 31u);
    for (const auto& name : names()) {
        SCOPED_TRACE(name);
        try {
            const auto input = stored(name, "input");
            auto module = load(name);
            const auto before = parameters_of(module.deepcopy());
            EXPECT_LT(toy::relative_error(toy::run(module, {input}), {stored(name, "output0")}), 1e-5)
                << "as loaded";
            const auto coupling = couple(module, {input});
            const auto plan = make_plan(coupling.groups, toy::weaker_half(coupling.groups, before));
            apply_plan(module, coupling, plan);
            EXPECT_FALSE(plan.slices.empty());
            EXPECT_LT(toy::relative_error(toy::run(module, {input}), expected_outputs(name, plan, input)),
                      1e-5);
            expect_removed(source_of(name), before, parameters_of(module));
        } catch (const std::exception& error) {
            ADD_FAILURE() << name << ": " << error.what();
        }
    }
}

}  // namespace
}  // namespace mtlprune::gauntlet_files_test
