#include "base/torch_message.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "base/error.h"

namespace mtlprune::torch_message_test {
namespace {

std::string message_of(const std::string& text) {
    return torch_message(std::runtime_error(text));
}

TEST(TorchMessage, OfATraceIsItsLastLine) {
    EXPECT_EQ(message_of("The following operation failed in the TorchScript interpreter.\n"
                         "Traceback of TorchScript (most recent call last):\n"
                         "  File \"net.py\", line 3, in forward\n    return torch.mm(x, y)\n"
                         "           ~~~~~~~~ <--- HERE\n"
                         "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x8 and 4x3)\n"),
              "mat1 and mat2 shapes cannot be multiplied (2x8 and 4x3)");
}

TEST(TorchMessage, HasNoPlacesInLibTorch) {
    EXPECT_EQ(
        message_of("isString() INTERNAL ASSERT FAILED at \"./aten/ivalue.h\":674, please report a bug to "
                   "PyTorch. Expected String but got Int\nException raised from toString\nframe #0: x"),
        "Expected String but got Int");
    EXPECT_EQ(message_of("ok INTERNAL ASSERT FAILED at \"a.h\":1, please report a bug to PyTorch."),
              "ok does not hold");
    EXPECT_EQ(message_of("Exception raised from f at g.cpp\nframe #0: x"), "no message");
}

TEST(TorchMessage, OfOurErrorsIsTheWholeText) {
    EXPECT_EQ(torch_message(Error("file", "a.pt", "one", "two")), "file: a.pt: expected one, found two");
}

TEST(TorchMessage, OfLibTorchIsOneLine) {
    try {
        torch::mm(torch::zeros({2, 3}), torch::zeros({4, 5}));
        FAIL() << "no exception";
    } catch (const std::exception& error) {
        EXPECT_EQ(torch_message(error), "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)");
    }
}

}  // namespace
}  // namespace mtlprune::torch_message_test
