// Where things are kept that can be computed again.
#pragma once

#include <filesystem>
#include <optional>

namespace mtlprune {

/// $MTLPRUNE_CACHE, $XDG_CACHE_HOME/mtlprune or ~/.cache/mtlprune; nothing without a home.
std::optional<std::filesystem::path> cache_folder();

}  // namespace mtlprune
