#include "reproduce/stages/pruned_architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/json_reader.h"

namespace mtlprune {

std::vector<PrunedArchitecture> pruned_architectures(const std::filesystem::path& prune_folder) {
    const auto file = (prune_folder / "plan.json").string();
    const auto json = parse_json(read_file(file, "pruning plan"), file);
    const auto steps = steps_from_json(json, file);
    JsonReader reader(json, file);
    const auto before = steps_from_json(reader.get("before", steps_to_json({})), file + ": before");
    const auto parameters = reader.require<std::vector<int64_t>>("parameters");
    if (parameters.size() != steps.size() + 1)
        throw Error("pruning plan", file + ": parameters",
                    fmt::format("{} numbers, of the dense network and after each step", steps.size() + 1),
                    std::to_string(parameters.size()));
    std::vector<PrunedArchitecture> architectures;
    for (size_t event = 0; event < parameters.size(); ++event) {
        auto all = before;
        all.insert(all.end(), steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(event));
        architectures.push_back({static_cast<int64_t>(event), std::move(all), parameters[event]});
    }
    return architectures;
}

PrunedArchitecture pruned_architecture(const std::filesystem::path& prune_folder,
                                       const ArchitectureChoice& choice) {
    const auto all = pruned_architectures(prune_folder);
    for (const auto& architecture : all)
        if (choice.event && architecture.event == *choice.event) return architecture;
    if (choice.event)
        throw Error("re-training", fmt::format("event {} of {}", *choice.event, prune_folder.string()),
                    fmt::format("0..{}", all.back().event), "no such event");
    const double wanted = choice.parameters_fraction * static_cast<double>(all.front().parameters);
    return *std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) {
        return std::abs(static_cast<double>(a.parameters) - wanted) <
               std::abs(static_cast<double>(b.parameters) - wanted);
    });
}

}  // namespace mtlprune
