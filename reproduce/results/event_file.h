// Event files of TensorBoard: scalars over steps, in records of protocol buffers with checksums.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace mtlprune {

/// The first record of a file; `seconds` since 1970.
std::string event_file_start(double seconds);

/// One record: values by tag ("loss/depth") at a step.
std::string event_record(double seconds, int64_t step, const std::map<std::string, float>& scalars);

/// CRC-32C (Castagnoli) of the bytes, which records are protected with.
uint32_t crc32c(const std::string& bytes);

/// What TensorBoard calls such a file: it reads those whose names contain "tfevents".
inline constexpr const char* kEventFileName = "events.out.tfevents.0.mtlprune";

}  // namespace mtlprune
