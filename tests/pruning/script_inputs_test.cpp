// TorchScript networks as people write them: inputs of any type, lists and dictionaries, branches, strings.
#include "pruning/graph/script_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"
#include "pruning/graph/script_network.h"
#include "pruning/surgery/verification.h"
#include "tests/bad_input.h"
#include "tests/pruning/toy_networks.h"

namespace mtlprune::script_inputs_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Inputs = std::vector<c10::IValue>;

/// w1 [8, 5], b1 [8], w2 [3, 8], b2 [3] in float64 and this code.
torch::jit::Module network(const std::string& forward) {
    torch::jit::Module module("net");
    module.register_attribute("training", c10::BoolType::get(), false);
    uint64_t key = 1;
    const std::vector<std::pair<std::string, std::vector<int64_t>>> parameters = {
        {"w1", {8, 5}}, {"b1", {8}}, {"w2", {3, 8}}, {"b2", {3}}};
    for (const auto& [name, shape] : parameters)
        module.register_parameter(name, toy::uniform(shape, key++), false);
    module.define(forward);
    return module;
}

/// `body` on h [n, 8] between two linear layers; `more` arguments beside x [n, 5].
torch::jit::Module between(const std::string& body, const std::string& more = "") {
    return network("def forward(self, x" + more +
                   "):\n  h = torch.relu(torch.linear(x, self.w1, self.b1))\n" + body +
                   "  return torch.linear(h, self.w2, self.b2)\n");
}

torch::Tensor rows(int64_t count) {
    return toy::uniform({count, 5}, 99);
}

struct Pruned {
    torch::jit::Module module;
    std::vector<std::string> notes;
};

/// Removes four of the hidden channels and expects the result to be right.
Pruned prune_four(torch::jit::Module module, const Inputs& inputs) {
    auto original = module.deepcopy();
    const auto coupling = couple(module, inputs);
    std::vector<std::vector<int64_t>> removed(coupling.groups.size());
    for (size_t g = 0; g < removed.size(); ++g)
        for (int64_t c = 0; c < coupling.groups[g].channels / 2 && !coupling.groups[g].frozen; ++c)
            removed[g].push_back(c);
    const auto plan = make_plan(coupling.groups, removed);
    auto notes = branch_notes(coupling, plan);
    apply_plan(module, coupling, plan);
    EXPECT_EQ(module.attr("w1").toTensor().sizes(), (std::vector<int64_t>{4, 5}));
    EXPECT_EQ(module.attr("w2").toTensor().sizes(), (std::vector<int64_t>{3, 4}));
    const auto check = verify(original, module, plan, inputs);
    EXPECT_TRUE(check.passed()) << check.first_difference << ", " << check.found();
    std::stringstream file;
    module.save(file);
    return {torch::jit::load(file), std::move(notes)};
}

c10::List<torch::Tensor> list_of(std::vector<torch::Tensor> tensors) {
    return c10::List<torch::Tensor>(tensors);
}

TEST(ScriptInputs, AListOfTensors) {
    auto pruned = prune_four(network("def forward(self, xs: List[Tensor]):\n"
                                     "  ys: List[Tensor] = []\n"
                                     "  for i, x in enumerate(xs):\n"
                                     "    h = torch.relu(torch.linear(x, self.w1, self.b1))\n"
                                     "    ys.append(torch.linear(h, self.w2, self.b2) * i)\n"
                                     "  return ys + ys[:1]\n"),
                             {list_of({rows(2), rows(3)})});
    EXPECT_EQ(pruned.module.forward({list_of({rows(1), rows(4), rows(2)})}).toTensorVector().size(), 4u);
}

TEST(ScriptInputs, ADictionaryATupleAndNumbers) {
    c10::Dict<std::string, torch::Tensor> named;
    named.insert("left", rows(2));
    named.insert("right", rows(3));
    auto pruned = prune_four(
        network("def forward(self, d: Dict[str, Tensor], pair: Tuple[Tensor, int], name: str, twice: bool):\n"
                "  out: Dict[str, Tensor] = {}\n"
                "  for key, x in d.items():\n"
                "    h = torch.relu(torch.linear(x + pair[0], self.w1, self.b1))\n"
                "    parts = {\"h\": h}\n"
                "    if \"h\" in parts and twice:\n"
                "      parts[\"h\"] = parts[\"h\"] * pair[1]\n"
                "    out[key + name] = torch.linear(parts[\"h\"], self.w2, self.b2)\n"
                "  return out\n"),
        {named, c10::ivalue::Tuple::create(torch::zeros({1, 5}, torch::kDouble), 3), "_side", true});
    const auto out =
        pruned.module
            .forward({named, c10::ivalue::Tuple::create(torch::zeros({1, 5}, torch::kDouble), 2), "", false})
            .toGenericDict();
    EXPECT_EQ(out.at("right").toTensor().sizes(), (std::vector<int64_t>{3, 3}));
}

TEST(ScriptInputs, ArgumentsLeftOutHaveTheirDefaults) {
    const auto module = between("  h = h * scale\n  if mask is not None:\n    h = h + mask\n",
                                ", scale: float=2.0, mask: Optional[Tensor]=None");
    auto pruned = prune_four(module, {rows(2)});
    const auto left_out = pruned.module.forward({rows(2)}).toTensor();
    EXPECT_TRUE(torch::equal(left_out, pruned.module.forward({rows(2), 2.0}).toTensor()));
    EXPECT_FALSE(torch::equal(left_out, pruned.module.forward({rows(2), 1.0}).toTensor()));
    // A mask over the hidden channels was not there to be seen.
    ASSERT_EQ(pruned.notes.size(), 1u);
    EXPECT_THAT(pruned.notes[0], HasSubstr("did not take the branch"));
}

TEST(ScriptInputs, OfAnotherTypeAreNamed) {
    const auto module = between("", ", n: int, xs: List[Tensor]");
    const auto error = [&](const Inputs& inputs) { return error_of([&] { couple(module, inputs); }); };
    EXPECT_THAT(error({rows(2), rows(2)}),
                HasSubstr("argument 2 (n: int): expected an int, found a tensor [2, 5]"));
    EXPECT_THAT(error({rows(2), 3, rows(2)}), HasSubstr("argument 3 (xs: List[Tensor]): expected a list"));
    EXPECT_THAT(error({rows(2), 3}), HasSubstr("found nothing"));
    EXPECT_THAT(error({rows(2), 3, list_of({}), 1}), HasSubstr("expected 3 inputs, found 4"));
}

TEST(ScriptInputs, AreCopiedForEveryRun) {
    const auto x = rows(2);
    const auto kept = x.clone();
    const auto list = list_of({x});
    prune_four(
        network("def forward(self, xs: List[Tensor]):\n"
                "  x = xs.pop()\n"
                "  x.mul_(2)\n"
                "  return torch.linear(torch.relu(torch.linear(x, self.w1, self.b1)), self.w2, self.b2)\n"),
        {list});
    EXPECT_EQ(list.size(), 1u);
    EXPECT_TRUE(torch::equal(x, kept));
}

TEST(ScriptCode, StringsAndAssertionsAreFollowed) {
    auto pruned = prune_four(between("  note = 'shape {} of {}'.format(h.size(0), h.dim())\n"
                                     "  assert h.size(1) == 8, note\n"
                                     "  assert len(note) > 0 and note.startswith('shape')\n"
                                     "  if isinstance(h, Tensor):\n"
                                     "    print(note)\n"),
                             {rows(2)});
    EXPECT_EQ(pruned.module.forward({rows(5)}).toTensor().size(0), 5);
    EXPECT_TRUE(pruned.notes.empty());
}

TEST(ScriptCode, SizesCollectedInAListFollow) {
    auto pruned = prune_four(between("  shape = [h.size(0)]\n"
                                     "  shape.append(2)\n"
                                     "  shape.append(4)\n"
                                     "  h = h.view(shape).transpose(1, 2).transpose(1, 2).flatten(1)\n"),
                             {rows(2)});
    EXPECT_EQ(pruned.module.forward({rows(3)}).toTensor().size(0), 3);
}

TEST(ScriptCode, ParametersInAListAreThemselves) {
    const auto module = between("");
    torch::jit::Module listed("net");
    listed.register_attribute("training", c10::BoolType::get(), false);
    for (const char* name : {"w1", "b1", "w2", "b2"})
        listed.register_parameter(name, module.attr(name).toTensor(), false);
    listed.register_attribute("flat", c10::ListType::ofTensors(),
                              list_of({module.attr("w1").toTensor(), module.attr("b1").toTensor()}));
    listed.define(
        "def forward(self, x):\n  h = torch.relu(torch.linear(x, self.flat[0], self.flat[1]))\n"
        "  return torch.linear(h, self.w2, self.b2)\n");
    prune_four(listed, {rows(2)});
}

TEST(ScriptCode, WrittenAttributesAreRead) {
    auto module = torch::jit::Module("net");
    module.register_attribute("training", c10::BoolType::get(), false);
    const auto like = between("");
    for (const char* name : {"w1", "b1", "w2", "b2"})
        module.register_parameter(name, like.attr(name).toTensor(), false);
    module.register_attribute("state", c10::TensorType::get(), torch::zeros({1}, torch::kDouble));
    module.define(
        "def forward(self, x):\n  self.state = torch.relu(torch.linear(x, self.w1, self.b1))\n"
        "  return torch.linear(self.state, self.w2, self.b2)\n");
    prune_four(module, {rows(2)});
}

TEST(ScriptCode, ABranchThatIsNotTakenIsNoted) {
    const std::string early =
        "  if h.size(0) > 100:\n    return torch.linear(h.view(-1, 8), self.w2, self.b2)\n";
    const auto notes = prune_four(between(early), {rows(2)}).notes;
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_THAT(notes[0], HasSubstr("may not run on the pruned network"));
    // What leaves channels as they are runs on any number of them; constants never change.
    EXPECT_TRUE(
        prune_four(between("  if h.size(0) > 100:\n    h = torch.relu(h)\n"), {rows(2)}).notes.empty());
    EXPECT_TRUE(prune_four(between("  if 1 > 2:\n    h = h.view(-1, 8)\n"), {rows(2)}).notes.empty());
    EXPECT_TRUE(prune_four(between("  assert h.size(0) < 100, 'rows'\n"), {rows(2)}).notes.empty());
}

TEST(ScriptCode, ALoopThatDoesNotRunIsNoted) {
    const auto make = [] { return between("  for i in range(n):\n    h = h.view(-1, 8)\n", ", n: int=0"); };
    EXPECT_EQ(prune_four(make(), {rows(2)}).notes.size(), 1u);
    EXPECT_TRUE(prune_four(make(), {rows(2), 2}).notes.empty());
}

TEST(ScriptCode, FailuresAreOneLine) {
    const auto raised =
        error_of([&] { couple(between("  assert h.size(0) > 5, 'too few rows'\n"), {rows(2)}); });
    EXPECT_EQ(raised, "TorchScript network: forward: expected inputs that it accepts, found too few rows");
    const auto failed = error_of([&] { couple(between(""), {toy::uniform({2, 4}, 1)}); });
    EXPECT_THAT(failed, HasSubstr("aten::linear at w1"));
    EXPECT_THAT(failed, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace mtlprune::script_inputs_test
