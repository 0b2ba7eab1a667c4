#include "cli/report_command.h"

#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "reproduce/report/figure_drawing.h"
#include "reproduce/report/report.h"
#include "reproduce/resources.h"
#include "reproduce/results/result_tables.h"

namespace mtlprune::cli {

void add_axis_option(po::options_description& options) {
    options.add_options()(
        "axis", po::value<std::string>()->default_value("true"),
        "true: figures over parameter counts; paper: also *_paper_axis files over the paper's ordinal axis");
}

std::string read_axis(const po::variables_map& values) {
    const auto axis = values["axis"].as<std::string>();
    if (axis != "true" && axis != "paper") throw Error("option", "--axis", "true or paper", "'" + axis + "'");
    return axis;
}

void draw_and_report(const std::filesystem::path& results, const std::string& axis) {
    read_result_tables(results);  // what cannot be read is one error, before anything is drawn
    if (const auto python = python_with_matplotlib()) {
        draw_figures(*python, resource_folder() / "figures", results);
        if (axis == "paper") draw_figures(*python, resource_folder() / "figures", results, axis);
    } else {
        std::cerr << "mtlprune: no python3 with matplotlib and numpy: the report has no figures (install "
                     "python3-matplotlib)\n";
    }
    write_report(results);
    std::cout << std::filesystem::absolute(results / "report.html").lexically_normal().string() << "\n";
}

int report_command(const Arguments& arguments) {
    po::options_description options("options");
    options.add_options()("results", po::value<std::string>()->required(), "results folder of an experiment");
    add_axis_option(options);
    po::variables_map values;
    if (!parse(
            "usage: mtlprune report DIR [OPTIONS]\n\nDraws the figures, judges the claims and writes "
            "report.html "
            "again from the results\nthat `mtlprune reproduce` has stored in a folder. Nothing is trained.",
            options, arguments, values, {"results"}))
        return 0;
    draw_and_report(values["results"].as<std::string>(), read_axis(values));
    return 0;
}

}  // namespace mtlprune::cli
