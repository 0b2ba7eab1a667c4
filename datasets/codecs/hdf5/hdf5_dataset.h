// The library's side of Hdf5Dataset, for the HDF5 sources.
#pragma once

#include "datasets/codecs/hdf5/hdf5_file.h"
#include "datasets/codecs/hdf5/hdf5_library.h"

namespace mtlprune {

struct Hdf5Dataset::Impl {
    std::shared_ptr<const void> file;  ///< stays open as long as its arrays are used
    hdf5::Handle array;
    int64_t file_bytes = 0;  ///< 0 while writing
    int shuffle_filter = -1, deflate_filter = -1;
};

namespace hdf5 {
/// Little-endian, as `type` is stored.
hid_t file_type(Hdf5Type type);
}  // namespace hdf5

}  // namespace mtlprune
