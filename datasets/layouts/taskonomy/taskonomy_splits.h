// Which buildings of Taskonomy belong to which split.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mtlprune {

/// The buildings of `split` ("train", "val", "test") in the order of the file. `file` is a CSV file or the
/// published archive of them, splits_taskonomy.zip, of which train_val_test_<partition>.csv is read ("tiny",
/// "medium", "full", "fullplus"), whatever its folder; members that macOS adds (__MACOSX, ._*, .DS_Store) are
/// passed over. Lines id,train,val,test with 0 or 1 for each split may end in CR, LF or CRLF. Throws Error
/// naming file and line for anything else, for names that are no plain folder names or appear twice, and when
/// no building belongs to the split.
std::vector<std::string> taskonomy_buildings(const std::filesystem::path& file, const std::string& partition,
                                             const std::string& split);

}  // namespace mtlprune
