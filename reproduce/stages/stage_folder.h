// The directory of one run: runs/<name>_<hash>/seed_<k>/ with config.json env.json results.csv plan.json
// checkpoint.pt DONE. DONE is written last; every file is written by temp + rename.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/table.h"
#include "training/checkpoint.h"

namespace mtlprune {

/// Of a stage that masks weights: its masks, see WeightMasks::load().
constexpr const char* kWeightMasksName = "weight_masks.pt";

class StageFolder {
  public:
    /// Creates the folder, writes config.json (or checks that the one there is the same) and takes the
    /// folder's lock until destruction. Throws Error when another process holds it for more than a second (a
    /// killed one takes a moment to let go). Removes what killed writes left behind.
    StageFolder(std::filesystem::path path, const nlohmann::json& config);
    /// Of a rank that is not the first: only reads, while the first one's folder is there.
    static StageFolder reader(std::filesystem::path path) { return StageFolder(std::move(path), Reader()); }
    ~StageFolder();
    StageFolder(const StageFolder&) = delete;
    StageFolder& operator=(const StageFolder&) = delete;

    static bool done(const std::filesystem::path& path) { return std::filesystem::exists(path / "DONE"); }

    const std::filesystem::path& path() const { return path_; }
    std::optional<TensorMap> load_checkpoint() const;
    void save_checkpoint(const TensorMap& tensors);
    void write(const std::string& name, const std::string& content);
    /// results.csv: these rows and the status PASSED; `key` gives stage, strategy and seed.
    void write_rows(Table rows, const TableRow& key);
    void finish();
    /// Seconds since the last checkpoint (or since construction).
    double seconds_since_checkpoint() const;

  private:
    struct Reader {};
    explicit StageFolder(std::filesystem::path path);
    StageFolder(std::filesystem::path path, Reader);
    void require_writer(const std::string& name) const;
    void remove_killed_writes() const;

    std::filesystem::path path_;
    int lock_ = -1;
    double last_checkpoint_;
};

}  // namespace mtlprune
