// --input of any type, and files that are no TorchScript files, as users of prune-torchscript meet them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace mtlprune::script_input_test {
namespace {

using ::testing::HasSubstr;

class ScriptInput : public ::testing::Test {
  protected:
    /// Hidden layer of 8, 5 inputs, 3 outputs; `first` is multiplied with x [n, 5].
    void write_network(const std::string& arguments, const std::string& body) {
        torch::jit::Module module("net");
        module.register_attribute("training", c10::BoolType::get(), false);
        module.register_parameter("first", torch::arange(40.0).reshape({8, 5}) / 40, false);
        module.register_parameter("words", torch::arange(50.0).reshape({10, 5}) / 50, false);
        module.register_parameter("last", torch::arange(24.0).reshape({3, 8}) / 24, false);
        module.define("def forward(self, " + arguments + "):\n" + body +
                      "  return torch.linear(torch.relu(torch.linear(x, self.first)), self.last)\n");
        module.save((folder_ / "net.pt").string());
    }
    Outcome prune(const Words& inputs) {
        Words words = {"prune-torchscript", "net.pt", "--out", "out.pt"};
        for (const auto& input : inputs) words = words + Words{"--input", input};
        return run_program(words, folder_.path());
    }
    void expect_pruned(const Words& inputs) {
        SCOPED_TRACE(inputs.empty() ? "" : inputs.back());
        const auto outcome = prune(inputs);
        ASSERT_EQ(outcome.code, 0) << outcome.err;
        // Four of eight hidden channels.
        const auto report = nlohmann::json::parse(outcome.out);
        EXPECT_EQ(
            report["before"]["parameters"].get<int64_t>() - report["after"]["parameters"].get<int64_t>(),
            4 * (5 + 3));
    }
    void expect_refused(const Outcome& outcome, const std::vector<std::string>& texts) {
        EXPECT_EQ(outcome.code, 2) << outcome.text();
        for (const auto& text : texts) EXPECT_THAT(outcome.err, HasSubstr(text));
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }

    TemporaryFolder folder_;
};

TEST_F(ScriptInput, ListsTuplesAndDictionaries) {
    write_network("xs: List[Tensor]", "  x = xs[0] + xs[1]\n");
    expect_pruned({"[2x5,2x5]"});
    write_network("xs: Tuple[Tensor, int]", "  x = xs[0] * xs[1]\n");
    expect_pruned({"(2x5,3:int)"});
    write_network("xs: Dict[str, Tensor]", "  x = xs['image'] * xs['mask']\n");
    expect_pruned({"{image=2x5,mask=1x5}"});
    write_network("xs: List[Dict[str, Tensor]]", "  x = xs[0]['image']\n");
    expect_pruned({"[{image=2x5},{image=1x5}]"});
}

TEST_F(ScriptInput, NumbersStringsAndNone) {
    write_network("x, n: int, a: float, flag: bool, name: str, mask: Optional[Tensor]",
                  "  assert n == 3 and a == 0.5 and flag and name == 'text' and mask is None\n");
    expect_pruned({"2x5", "3:int", "0.5:float", "true:bool", "text:str", "none"});
    expect_pruned({"2x5", "name=text:str", "flag=true:bool", "a=0.5:float", "n=3:int"});
    expect_refused(prune({"2x5", "4:int", "0.5:float", "true:bool", "text:str"}),
                   {"forward", "expected inputs"});
}

TEST_F(ScriptInput, ArgumentsWithDefaultsMayBeLeftOut) {
    write_network("x, mask: Optional[Tensor]=None, scale: float=2.0",
                  "  x = x * scale\n  if mask is not None:\n    x = x * mask\n");
    expect_pruned({"2x5"});
    expect_pruned({"2x5", "1x5"});
    expect_pruned({"2x5", "scale=1.5:float"});
}

TEST_F(ScriptInput, IndicesHaveARange) {
    write_network("i",
                  "  assert int(i.max()) > 1 and int(i.max()) < 10 and int(i.min()) >= 0\n"
                  "  x = torch.embedding(self.words, i)\n");
    const auto outcome = prune({"2x30:int64<10"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    // Without a range they are 0 or 1.
    expect_refused(prune({"2x30:int64"}), {"forward"});
}

TEST_F(ScriptInput, WrongTypesSayWhatToWrite) {
    write_network("xs: List[Tensor], n: int=1", "  x = xs[0]\n");
    expect_refused(prune({"2x5"}), {"argument 1 (xs: List[Tensor])", "a list", "--input '[1x3x224x224,"});
    expect_refused(prune({"[2x5]", "1:int64"}), {"argument 2 (n: int)", "an int", "--input '3:int'"});
    expect_refused(prune({"[2x5]", "1:int", "2x5"}), {"at most 2", "xs: List[Tensor], n: int"});
    expect_refused(prune({"[2x5]", "m=1:int"}), {"'m'", "xs, n"});
    expect_refused(prune({"[2x5]", "xs=[2x5]"}), {"two"});
    expect_refused(prune({}), {"--input", "argument 1 (xs: List[Tensor])", "none"});
}

TEST_F(ScriptInput, MalformedTextsAreQuoted) {
    write_network("x", "");
    for (const char* text : {"[2x5", "(2x5", "{a=2x5", "{2x5}", "[2x5]x", "2x5:int65", "2x5:int64<0",
                             "2x5:float32<3", "x:int", "0.5x:float", "2x", ""})
        expect_refused(prune({text}), {"--input"});
}

TEST_F(ScriptInput, HelpSaysHowToWriteThem) {
    for (const char* command : {"prune-torchscript", "groups", "explain"}) {
        const auto help = run_program({command, "--help"}, folder_.path()).out;
        for (const char* part : {"3:int", "none", "dict", "list"})
            EXPECT_THAT(help, HasSubstr(part)) << command;
    }
}

TEST_F(ScriptInput, OtherFilesAreRecognised) {
    const auto expect_kind = [&](const std::string& content, const std::string& kind) {
        write_file_atomically(folder_ / "net.pt", content);
        expect_refused(prune({"2x5"}), {"net.pt", kind});
    };
    expect_kind("", "empty");
    expect_kind("<!DOCTYPE html><html>", "web page");
    expect_kind("version https://git-lfs.github.com/spec/v1\noid", "git lfs pull");
    expect_kind(std::string("\x08\x07\x12\x07pytorch", 11) + "\x1a", "ONNX");
    expect_kind(std::string("\x40\0\0\0\0\0\0\0", 8) + "{\"w\":{\"dtype\":\"F32\"}}", "safetensors");
    expect_kind(std::string("\x89HDF\r\n\x1a\n", 8), "HDF5");
    const auto pickled = torch::jit::pickle_save(torch::ones({2, 2}));
    expect_kind(std::string(pickled.begin(), pickled.end()), "state dict");
    expect_kind("no archive at all", "torch.jit.save");
}

}  // namespace
}  // namespace mtlprune::script_input_test
