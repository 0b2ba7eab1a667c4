#include "base/cache_folder.h"

#include <cstdlib>

namespace mtlprune {

std::optional<std::filesystem::path> cache_folder() {
    using std::filesystem::path;
    if (const char* named = std::getenv("MTLPRUNE_CACHE")) return path(named);
    if (const char* xdg = std::getenv("XDG_CACHE_HOME")) return path(xdg) / "mtlprune";
    if (const char* home = std::getenv("HOME")) return path(home) / ".cache/mtlprune";
    return std::nullopt;
}

}  // namespace mtlprune
