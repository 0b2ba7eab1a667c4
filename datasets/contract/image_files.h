// Data sets whose images are files that can be copied as they are.
#pragma once

#include <cstdint>
#include <filesystem>

namespace mtlprune {

class ImageFiles {
  public:
    virtual ~ImageFiles() = default;
    /// The PNG or JPEG file that Sample.image of frame `index` is the content of.
    virtual std::filesystem::path image_file(int64_t index) const = 0;
};

}  // namespace mtlprune
