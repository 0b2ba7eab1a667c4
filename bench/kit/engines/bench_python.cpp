#include "bench/kit/engines/bench_python.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "bench/kit/line_process.h"

namespace mtlprune {
namespace {

/// Looks for packages without loading them; prints each with its version, or "-" where it is missing.
constexpr const char* kLookForPackages = R"(
import importlib.metadata, importlib.util, sys
def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "?"
print(*(version(name) if importlib.util.find_spec(name) else "-" for name in sys.argv[1:]))
)";

/// "-" for a package that is not there. Throws Error for an interpreter that cannot be started.
const std::string& version_in(const std::string& python, const std::string& package) {
    static std::map<std::pair<std::string, std::string>, std::string> known;
    auto& version = known[{python, package}];
    if (version.empty())
        version = LineProcess("MTLPRUNE_BENCH_PYTHON", {python, "-c", kLookForPackages, package}).read_line();
    return version;
}

}  // namespace

std::string bench_python() {
    const char* path = std::getenv("MTLPRUNE_BENCH_PYTHON");
    return path == nullptr ? "" : path;
}

std::string missing_python(const std::vector<std::string>& packages) {
    const auto python = bench_python();
    const auto needed = fmt::format("{}", fmt::join(packages, " and "));
    if (python.empty())
        return fmt::format("MTLPRUNE_BENCH_PYTHON names no Python with {}: see bench/engines_setup.sh",
                           needed);
    try {
        const auto missing = std::ranges::find_if(
            packages, [&](const std::string& package) { return version_in(python, package) == "-"; });
        if (missing == packages.end()) return {};
        return fmt::format("{} has no package {}: see bench/engines_setup.sh", python, *missing);
    } catch (const Error& error) {
        return error.what();
    }
}

std::string python_version_of(const std::string& package) {
    if (!missing_python({package}).empty()) return {};
    const auto& version = version_in(bench_python(), package);
    return version == "?" ? "" : version;
}

std::vector<std::string> bench_script(const std::string& script, const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {bench_python(),
                                        fmt::format("{}/engines/{}", MTLPRUNE_BENCH_SOURCE, script)};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

}  // namespace mtlprune
