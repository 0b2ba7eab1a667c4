// Checks that JPEG files are complete: decoders fill what is missing with grey.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mtlprune {

/// Walks the markers from SOI through all segments and scans to EOI (ITU-T T.81, annex B). Throws Error
/// naming `place` when the file ends before.
void check_jpeg(const std::vector<uint8_t>& bytes, const std::string& place);

/// The EXIF orientation 1..8 that the first bytes of a JPEG file (its EXIF segment included) state: 1 =
/// stored upright, also where there is none, where it is damaged and for other files.
int jpeg_orientation(std::span<const uint8_t> bytes);

}  // namespace mtlprune
