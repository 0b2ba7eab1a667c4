#include "reproduce/report/figure_drawing.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "base/error.h"

namespace mtlprune {
namespace {

std::string shell_quoted(const std::string& word) {
    std::string quoted = "'";
    for (const char c : word) {
        if (c == '\'')
            quoted += "'\\''";
        else
            quoted += c;
    }
    return quoted + "'";
}

/// Exit status and everything the command printed.
std::pair<int, std::string> run_command(const std::string& command) {
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (!pipe) throw Error("figures", command, "a process", "none could be started");
    std::string output;
    std::array<char, 4096> buffer;
    while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        output.append(buffer.data(), n);
    const int status = ::pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, output};
}

void run_script(const std::string& python, const std::filesystem::path& script,
                const std::vector<std::string>& arguments) {
    std::string command = fmt::format("{} {}", shell_quoted(python), shell_quoted(script.string()));
    for (const auto& argument : arguments) command += fmt::format(" {}", shell_quoted(argument));
    const auto [status, output] = run_command(command);
    if (status != 0)
        throw Error(fmt::format("figures: {} exited with {}: {}", script.string(), status, output));
}

}  // namespace

std::optional<std::string> python_with_matplotlib() {
    for (const char* python : {"python3", "/usr/bin/python3"})
        if (run_command(std::string(python) + " -c 'import matplotlib, numpy'").first == 0) return python;
    return std::nullopt;
}

void draw_figures(const std::string& python, const std::filesystem::path& figures_folder,
                  const std::filesystem::path& results_folder, const std::string& axis) {
    run_script(python, figures_folder / "draw.py", {"--axis", axis, results_folder.string()});
}

void draw_learning_curves(const std::string& python, const std::filesystem::path& figures_folder,
                          const std::filesystem::path& stage_folder,
                          const std::filesystem::path& predictors) {
    std::vector<std::string> arguments = {stage_folder.string()};
    if (!predictors.empty()) arguments.insert(arguments.end(), {"--predictors", predictors.string()});
    run_script(python, figures_folder / "learning_curves.py", arguments);
}

void draw_data_statistics(const std::string& python, const std::filesystem::path& figures_folder,
                          const std::filesystem::path& statistics_folder) {
    run_script(python, figures_folder / "data_stats.py", {statistics_folder.string()});
}

}  // namespace mtlprune
