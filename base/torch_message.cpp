#include "base/torch_message.h"

#include <c10/util/Exception.h>

#include <regex>
#include <sstream>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr size_t kLongest = 300;

/// "RuntimeError: ..." and the like, which ends a trace through TorchScript.
std::string last_named_line(const std::string& text) {
    static const std::regex named(R"(^(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]*(?:Error|Exception): *(.*)$)");
    std::istringstream lines(text);
    std::string line, found;
    std::smatch match;
    while (std::getline(lines, line))
        if (line.size() < 10 * kLongest && std::regex_match(line, match, named)) found = match[1];
    return found;
}

bool says_something(const std::string& line) {
    for (const char* start : {"The following operation failed", "Traceback of TorchScript",
                              "Exception raised from", "frame #", "  File \""})
        if (line.rfind(start, 0) == 0) return false;
    return line.find_first_not_of(" \t~<-HERE") != std::string::npos;
}

std::string first_line(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line))
        if (says_something(line)) return line;
    return "no message";
}

/// "x INTERNAL ASSERT FAILED at "file":7, please report a bug to PyTorch. y" says y or, without one, x.
std::string without_assertion(const std::string& line) {
    const auto at = line.find("INTERNAL ASSERT FAILED");
    if (at == std::string::npos) return line;
    const std::string end = "PyTorch.";
    const auto rest = line.find(end, at);
    const auto after = rest == std::string::npos ? "" : line.substr(rest + end.size());
    return after.find_first_not_of(' ') == std::string::npos ? line.substr(0, at) + "does not hold" : after;
}

}  // namespace

std::string torch_message(const std::exception& error) {
    if (dynamic_cast<const Error*>(&error) != nullptr) return error.what();
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
    auto line = last_named_line(text);
    if (line.empty()) line = first_line(text);
    line = without_assertion(line.substr(0, line.find(" Exception raised from")));
    line = line.substr(line.find_first_not_of(' ') == std::string::npos ? 0 : line.find_first_not_of(' '));
    return line.size() > kLongest ? line.substr(0, kLongest) + "..." : line;
}

}  // namespace mtlprune
