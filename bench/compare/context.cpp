#include "bench/compare/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace mtlprune::bench {
namespace {

bool may_differ(const std::string& key) {
    static const std::set<std::string> keys = {"date", "executable", "load_avg", "revision"};
    // What a program measured of the machine itself (peak_...) is a result too.
    return keys.count(key) > 0 || key.starts_with("peak_");
}

/// Frequencies are read at a moment and vary a little.
bool same_frequency(const nlohmann::json& a, const nlohmann::json& b) {
    if (!a.is_number() || !b.is_number()) return a == b;
    const auto x = a.get<double>(), y = b.get<double>();
    return std::fabs(x - y) <= 0.1 * std::max(std::fabs(x), std::fabs(y));
}

std::string shown(const nlohmann::json& context, const std::string& key) {
    const auto found = context.find(key);
    if (found == context.end()) return "nothing";
    const auto text = found->dump();
    return text.size() > 60 ? fmt::format("{}...", text.substr(0, 57)) : text;
}

}  // namespace

std::vector<std::string> context_differences(const nlohmann::json& base, const nlohmann::json& now) {
    std::set<std::string> keys;
    for (const auto* context : {&base, &now})
        for (const auto& [key, value] : context->items())
            if (!may_differ(key)) keys.insert(key);
    std::vector<std::string> differences;
    for (const auto& key : keys) {
        const bool both = base.contains(key) && now.contains(key);
        const bool same =
            both && (key == "mhz_per_cpu" ? same_frequency(base[key], now[key]) : base[key] == now[key]);
        if (!same)
            differences.push_back(fmt::format("{}: {} and {}", key, shown(base, key), shown(now, key)));
    }
    return differences;
}

}  // namespace mtlprune::bench
