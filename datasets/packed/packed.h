// Data sets in one packed HDF5 file.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/input_file.h"
#include "datasets/contract/sample.h"
#include "datasets/packed/packed_format.h"
#include "datasets/pipeline/normals_from_depth.h"

namespace mtlprune {

struct PackedOptions {
    std::filesystem::path path;
    std::string split = "train";  ///< as packed
    int64_t limit = 0;            ///< only this many frames, evenly spaced; 0 = all
};

/// The splits of a packed file in the order of their frames. Throws Error as PackedDataset does.
std::vector<std::string> packed_splits(const std::filesystem::path& path);

/// Reads what write_packed() (packed_writer.h) writes. Frames are read from the file directly, by any number
/// of threads at once; nothing but tables is kept in memory. The check sum of each stored modality is
/// verified on every read.
class PackedDataset : public Dataset {
  public:
    /// Reads structure, metadata and tables and verifies their digest. Throws Error for a file that is
    /// missing, truncated, damaged or of another format, and a split that it does not have.
    explicit PackedDataset(PackedOptions options);

    int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
    /// Throws Error naming the file, the frame and the modality whose bytes are damaged.
    Sample get(int64_t index) const override;
    const std::vector<TaskSpec>& tasks() const override { return tasks_; }
    std::string id(int64_t index) const override { return ids_[frames_.at(index)]; }
    std::string description() const override;
    /// The metadata as written: source, options, identifiers.
    const nlohmann::json& metadata() const { return metadata_; }

  private:
    struct Stored : PackedModality {
        int64_t position = 0;           ///< of the data in the file
        cv::Size size;                  ///< raw: of every frame; classes: number x 1
        std::vector<uint64_t> offsets;  ///< not raw: of each frame, and the end, from `position`
        int64_t column = -1;            ///< in the table of check sums
    };

    void read_structure();
    void read_modality(const class Hdf5File& file, Stored& stored, int64_t frames);
    void read_split(int64_t stored_frames);
    std::string place_of(int64_t frame, const std::string& name) const;
    void verify(const Stored& stored, int64_t frame, const void* bytes, size_t length) const;
    cv::Mat read_pixels(const Stored& stored, int64_t frame) const;
    void read_classes(const Stored& stored, int64_t frame, Sample& sample) const;

    PackedOptions options_;
    std::unique_ptr<InputFile> file_;
    nlohmann::json metadata_;
    std::vector<TaskSpec> tasks_;
    std::vector<Stored> modalities_;
    std::vector<uint32_t> check_sums_;
    int64_t columns_ = 0;
    CameraIntrinsics camera_;
    int normals_radius_ = 0;
    std::vector<std::string> ids_;
    std::vector<int64_t> frames_;
};

}  // namespace mtlprune
