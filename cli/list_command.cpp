#include <fmt/format.h>

#include <iostream>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "datasets/layouts/open_dataset.h"
#include "pruning/criteria/criterion.h"
#include "reproduce/resources.h"
#include "training/metrics.h"

namespace mtlprune::cli {

int list_command(const Arguments& arguments) {
    po::options_description options("options");
    po::variables_map values;
    if (!parse(
            "usage: mtlprune list\n\nPrints the criteria, data sets, models, metrics and scales that exist.",
            options, arguments, values))
        return 0;
    std::cout << "criteria\n";
    for (const auto& entry : criteria().entries())
        std::cout << fmt::format("  {:16} {}\n{:19}needs {}{}{}\n{}", entry.key, entry.summary, "",
                                 criteria().make(entry.key)->needs().text(), entry.paper.empty() ? "" : "; ",
                                 entry.paper, options_text(entry, std::string(19, ' ')));
    std::cout << "\ndata sets\n";
    for (const auto& layout : dataset_layouts()) {
        auto form = layout.name + (layout.needs_folder ? "=DIR" : "");
        for (const auto& alias : layout.aliases) form += fmt::format(", {}=DIR", alias);
        std::cout << fmt::format("  {}\n  {:16} {}\n", form, "", layout.description);
    }
    std::cout << "\nmodels\n"
                 "  vgg16-aspp       VGG-16 without BatchNorm, one SmallASPP head per task; any widths\n"
                 "\nmetrics\n";
    for (const auto& metric : metric_definitions(nyuv2_tasks(40)))
        std::cout << fmt::format("  {:16} {:13} {:7} {}: {}\n", metric.name, metric.task,
                                 metric.higher_is_better ? "higher" : "lower",
                                 metric.unit.empty() ? "-" : metric.unit, metric.definition);
    std::cout << "\nscales\n";
    for (const auto& name : scale_names()) {
        const auto json = parse_json(read_file(scale_file(name)), name);
        std::cout << fmt::format("  {:16} {}\n", name, json.value("description", ""));
    }
    return 0;
}

}  // namespace mtlprune::cli
