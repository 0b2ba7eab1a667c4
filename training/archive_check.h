// Integrity of the ZIP files in which LibTorch stores tensors.
#pragma once

#include <string>

namespace mtlprune {

/// Throws Error naming `place` (the file) unless `bytes` are one complete ZIP archive of stored
/// (uncompressed) entries whose directory is consistent and whose CRC-32 checksums all match. LibTorch itself
/// does not verify them and decodes whatever it finds, so nothing is handed to it unchecked.
void require_intact_archive(const std::string& bytes, const std::string& place);

}  // namespace mtlprune
