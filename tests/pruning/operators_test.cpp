// The table of operators against what LibTorch says about them, and the rule that no other folder knows
// operators by their names.
#include "pruning/ops/operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/jit.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <set>

#include "pruning/graph/traced_graph.h"

namespace mtlprune::operators_test {
namespace {

using testing::ElementsAre;

std::vector<const c10::FunctionSchema*> schemas_of(const Operator& op) {
    std::vector<const c10::FunctionSchema*> schemas;
    for (const auto& overload : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(op.name)))
        schemas.push_back(&overload->schema());
    return schemas;
}

bool any_schema(const Operator& op, const std::function<bool(const c10::FunctionSchema&)>& holds) {
    const auto schemas = schemas_of(op);
    return std::any_of(schemas.begin(), schemas.end(), [&](const auto* schema) { return holds(*schema); });
}

bool is_argument(const c10::FunctionSchema& schema, size_t argument, const std::string& name) {
    return argument < schema.arguments().size() && schema.arguments()[argument].name() == name;
}

/// A weight, or the parameters of a recurrent layer.
bool reads_parameters(const c10::FunctionSchema& schema) {
    static const std::set<std::string> names = {"weight", "w_ih", "params", "qkv_weight"};
    return std::any_of(schema.arguments().begin(), schema.arguments().end(),
                       [](const c10::Argument& argument) { return names.count(argument.name()) > 0; });
}

/// A list of sizes of axes, which may be those of channels.
bool lists_sizes(const c10::FunctionSchema& schema) {
    static const std::set<std::string> names = {"size", "sizes", "shape", "normalized_shape", "split_sizes"};
    return std::any_of(
        schema.arguments().begin(), schema.arguments().end(), [](const c10::Argument& argument) {
            return argument.type()->kind() == c10::TypeKind::ListType && names.count(argument.name()) > 0;
        });
}

bool writes_into_first(const c10::FunctionSchema& schema) {
    if (schema.arguments().empty()) return false;
    const auto& first = schema.arguments()[0];
    return first.type()->kind() == c10::TypeKind::TensorType && first.alias_info() != nullptr &&
           first.alias_info()->isWrite();
}

/// Of a tensor, a result that may lie in its memory.
bool gives_view(const c10::FunctionSchema& schema) {
    if (schema.arguments().empty() || schema.returns().empty()) return false;
    const auto& result = schema.returns()[0];
    return schema.arguments()[0].type()->kind() == c10::TypeKind::TensorType &&
           result.alias_info() != nullptr && !result.alias_info()->isWrite();
}

std::vector<std::string> names_where(const std::function<bool(const Operator&)>& holds) {
    std::vector<std::string> names;
    for (const auto& op : operators())
        if (holds(op)) names.push_back(op.name);
    return names;
}

TEST(Operators, EachStandsInTheTableOnce) {
    std::set<std::string> seen;
    EXPECT_THAT(names_where([&](const Operator& op) { return !seen.insert(op.name).second; }), ElementsAre());
    EXPECT_THAT(names_where([&](const Operator& op) { return &operator_of(op.name) != &op; }), ElementsAre());
    EXPECT_GT(operators().size(), 300);
}

TEST(Operators, EachHasALabelRuleOrAReason) {
    EXPECT_THAT(names_where([](const Operator& op) {
                    return (op.labels == nullptr) == (op.freezes == nullptr || *op.freezes == '\0');
                }),
                ElementsAre());
}

TEST(Operators, OneThatIsNotKnownFreezesAndItsNameTellsWhoseMemoryItWrites) {
    for (const char* kind : {"aten::frobnicate", "aten::frobnicate_", "prim::frobnicate", ""}) {
        const auto& op = operator_of(kind);
        EXPECT_EQ(op.labels, nullptr);
        EXPECT_STREQ(op.freezes, "no coupling rule for this operator");
        EXPECT_EQ(op.scored, Scored::no_parameters);
    }
    EXPECT_EQ(operator_of("aten::frobnicate").memory, Memory::own);
    EXPECT_EQ(operator_of("aten::__frobnicate__").memory, Memory::own);
    EXPECT_EQ(operator_of("aten::frobnicate_").memory, Memory::in_place);
    EXPECT_EQ(operator_of("prim::frobnicate").memory, Memory::view);
}

#if TORCH_VERSION_MAJOR == 1
TEST(Operators, LibTorchKnowsTheirNames) {
    // Those of LibTorch 2; the last one is the tracer's.
    EXPECT_THAT(
        names_where([](const Operator& op) { return schemas_of(op).empty(); }),
        ElementsAre("aten::rms_norm", "aten::_prelu_kernel", "aten::_unsafe_index", "aten::_unsafe_index_put",
                    "aten::_safe_softmax", "aten::scaled_dot_product_attention", "prim::ListUnpack"));
}
#endif

TEST(Operators, ThoseThatReadWeightsSayWhatOfThemIsScored) {
    // The weight of lerp lies between two tensors.
    EXPECT_THAT(names_where([](const Operator& op) {
                    return op.labels != nullptr && op.scored == Scored::no_parameters &&
                           any_schema(op, reads_parameters);
                }),
                ElementsAre("aten::lerp", "aten::lerp_"));
}

TEST(Operators, LayersHaveACost) {
    EXPECT_THAT(
        names_where([](const Operator& op) { return op.scored == Scored::layer && op.macs == nullptr; }),
        ElementsAre());
}

TEST(Operators, ScoredScalesAreTheArgumentCalledWeight) {
    for (const auto& op : operators()) {
        const bool names_one = op.scored == Scored::batch_norm_scale || op.scored == Scored::layer_norm_scale;
        EXPECT_EQ(op.scale >= 0, names_one) << op.name;
        if (names_one && !schemas_of(op).empty()) {
            EXPECT_TRUE(any_schema(op, [&](const auto& s) { return is_argument(s, op.scale, "weight"); }))
                << op.name;
        }
    }
}

TEST(Operators, ConvolutionsHaveTheirArgumentsWhereLibTorchHasThem) {
    size_t count = 0;
    for (const auto& op : operators()) {
        if (op.convolution == nullptr) continue;
        ++count;
        const auto& form = *op.convolution;
        EXPECT_TRUE(any_schema(op, [&](const c10::FunctionSchema& s) {
            return is_argument(s, 1, "weight") && is_argument(s, 3, "stride") &&
                   is_argument(s, 4, "padding") && is_argument(s, form.dilation, "dilation") &&
                   is_argument(s, form.groups, "groups") &&
                   (form.output_padding == 0 || is_argument(s, form.output_padding, "output_padding")) &&
                   (form.is_transposed == 0 || is_argument(s, form.is_transposed, "transposed"));
        })) << op.name;
        EXPECT_EQ(form.always_transposed, op.name.find("transpose") != std::string::npos) << op.name;
    }
    EXPECT_EQ(count, 9);
}

TEST(Operators, ThoseThatListSizesSayHowTheseFollow) {
    EXPECT_THAT(names_where([](const Operator& op) {
                    return op.labels != nullptr && op.edits == nullptr && any_schema(op, lists_sizes);
                }),
                ElementsAre());
}

TEST(Operators, InPlaceAreThoseThatWriteIntoTheirFirstArgument) {
    EXPECT_THAT(names_where([](const Operator& op) {
                    const bool written = any_schema(op, writes_into_first);
                    return !schemas_of(op).empty() && written != (op.memory == Memory::in_place);
                }),
                ElementsAre());
}

TEST(Operators, ViewsAreThoseWhoseResultMayLieInTheMemoryOfTheirFirstArgument) {
    EXPECT_THAT(names_where([&](const Operator& op) {
                    return any_schema(op, gives_view) && op.memory == Memory::own;
                }),
                ElementsAre());
#if TORCH_VERSION_MAJOR == 1
    // Their schemas do not say it, what they call does.
    EXPECT_THAT(names_where([](const Operator& op) {
                    return op.memory == Memory::view && op.name.starts_with("aten::") &&
                           !any_schema(op, gives_view);
                }),
                ElementsAre("aten::type_as", "aten::atleast_2d", "aten::atleast_3d", "aten::_unsafe_view",
                            "aten::unsafe_split", "aten::unsafe_split_with_sizes", "aten::unsafe_chunk"));
#endif
}

/// A node whose first input is an image and whose other inputs are lists of one number.
std::pair<TracedGraph, TracedNode> node_of(const Operator& op) {
    TracedGraph graph;
    std::vector<size_t> inputs;
    for (size_t i = 0; i < 10; ++i) {
        auto& value = graph.values.emplace_back();
        value.is_tensor = i == 0;
        if (i == 0)
            value.shape = {2, 4, 3, 3};
        else
            value.constant = c10::IValue(std::vector<int64_t>{1});
        inputs.push_back(i);
    }
    return {graph, TracedNode(op.name, inputs, {})};
}

TEST(Operators, MaskedFormsAreFunctionsOfTheArgumentsThatTheyName) {
    size_t count = 0;
    for (const auto& op : operators()) {
        if (op.masked == nullptr) continue;
        ++count;
        const auto [graph, node] = node_of(op);
        const auto form = op.masked(graph, node);
        ASSERT_TRUE(form) << op.name;
        const auto compiled = torch::jit::compile(form->code);
        ASSERT_EQ(compiled->get_functions().size(), 1) << op.name;
        const auto& taken = compiled->get_functions()[0]->getSchema().arguments();
        ASSERT_EQ(taken.size(), 3 + form->arguments.size() + form->constants.size()) << op.name;
        for (size_t i = 0; i < form->arguments.size() && !schemas_of(op).empty(); ++i)
            EXPECT_TRUE(any_schema(op,
                                   [&](const c10::FunctionSchema& schema) {
                                       return is_argument(schema, form->arguments[i], taken[3 + i].name());
                                   }))
                << op.name << " " << taken[3 + i].name();
        for (const int64_t axis : form->axes) EXPECT_TRUE(axis >= 0 && axis < 4) << op.name;
        EXPECT_THAT(form->axes, testing::Not(ElementsAre())) << op.name;
    }
    EXPECT_EQ(count, 9);
}

/// Lines of a file without comments.
std::vector<std::string> code_lines(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line.substr(0, line.find("//")));
    return lines;
}

/// "folder/file: text" of all matches in pruning/, outside of ops/ or in it.
std::vector<std::string> matches(const std::regex& pattern, bool in_ops) {
    const std::filesystem::path room = std::filesystem::path(MTLPRUNE_SOURCE_DIR) / "pruning";
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(room)) {
        const auto& path = entry.path();
        if (path.extension() != ".cpp" && path.extension() != ".h") continue;
        const auto name = std::filesystem::relative(path, room).string();
        if ((name.rfind("ops/", 0) == 0) != in_ops) continue;
        for (const auto& line : code_lines(path))
            for (std::sregex_iterator it(line.begin(), line.end(), pattern), end; it != end; ++it)
                found.push_back(name + ": " + it->str());
    }
    std::sort(found.begin(), found.end());
    return found;
}

TEST(Operators, NoOtherFolderKnowsThemByName) {
    // Surgery writes nodes of its own: a list's elements one by one, parts, and arithmetic on single numbers.
    for (const auto& found : matches(std::regex("aten::\\w*"), false))
        EXPECT_TRUE(found == "surgery/edit_code.cpp: aten::__getitem__" ||
                    found == "surgery/edit_code.cpp: aten::index_select" ||
                    found == "surgery/edit_code.cpp: aten::mul" ||
                    found.rfind("surgery/number_code.cpp: ", 0) == 0)
            << found;
    EXPECT_GT(matches(std::regex("aten::\\w*"), true).size(), 5) << "the scan finds nothing";
}

TEST(Operators, FoldersIncludeTheRecordAloneWhichIncludesNoFolder) {
    const auto includes = matches(std::regex("#include \"pruning/ops/.*\""), false);
    for (const auto& include : includes)
        EXPECT_THAT(include, testing::EndsWith("\"pruning/ops/operator.h\""));
    EXPECT_THAT(includes, testing::Not(ElementsAre()));
    for (const auto& include : matches(std::regex("#include \"pruning/.*\""), true))
        EXPECT_THAT(include, testing::Not(testing::StartsWith("ops/operator.h")));
}

}  // namespace
}  // namespace mtlprune::operators_test
