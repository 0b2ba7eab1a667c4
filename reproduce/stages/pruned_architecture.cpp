#include "reproduce/stages/pruned_architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/json_reader.h"

namespace mtlprune {

std::vector<PrunedArchitecture> pruned_architectures(const std::filesystem::path& prune_folder) {
    const auto file = (prune_folder / "plan.json").string();
    JsonReader reader(parse_json(read_file(file, "pruning plan"), file), file);
    std::vector<PrunedArchitecture> architectures;
    for (const auto& entry : reader.require<nlohmann::json>("architectures")) {
        JsonReader item(entry, file + ": architectures");
        architectures.push_back({item.require<int64_t>("event"), item.require<std::vector<int64_t>>("widths"),
                                 item.require<int64_t>("parameters")});
    }
    if (architectures.empty()) throw Error("pruning plan", file, "at least one architecture", "none");
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
