// Checks that JPEG files are complete: decoders fill what is missing with grey.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mtlprune {

/// Walks the markers from SOI through all segments and scans to EOI (ITU-T T.81, annex B). Throws Error
/// naming `place` when the file ends before.
void check_jpeg(const std::vector<uint8_t>& bytes, const std::string& place);

}  // namespace mtlprune
