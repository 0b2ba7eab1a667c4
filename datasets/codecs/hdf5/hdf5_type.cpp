// The element types of HDF5 arrays.
#include <bit>

#include "datasets/codecs/hdf5/hdf5_dataset.h"

namespace mtlprune {

static_assert(std::endian::native == std::endian::little);  // elements are copied as they are stored

hid_t hdf5::file_type(Hdf5Type type) {
    switch (type) {
        case Hdf5Type::uint8:
            return H5T_STD_U8LE;
        case Hdf5Type::uint16:
            return H5T_STD_U16LE;
        case Hdf5Type::uint32:
            return H5T_STD_U32LE;
        case Hdf5Type::uint64:
            return H5T_STD_U64LE;
        case Hdf5Type::int64:
            return H5T_STD_I64LE;
        case Hdf5Type::float32:
            return H5T_IEEE_F32LE;
        case Hdf5Type::reference:
            return H5T_STD_REF_OBJ;
        case Hdf5Type::other:
            break;
    }
    throw Error("HDF5: an element type that is not supported");
}

int64_t element_bytes(Hdf5Type type) {
    switch (type) {
        case Hdf5Type::uint8:
            return 1;
        case Hdf5Type::uint16:
            return 2;
        case Hdf5Type::uint32:
        case Hdf5Type::float32:
            return 4;
        case Hdf5Type::uint64:
        case Hdf5Type::int64:
        case Hdf5Type::reference:
            return 8;
        case Hdf5Type::other:
            break;
    }
    return 0;
}

std::string to_string(Hdf5Type type) {
    constexpr const char* kNames[] = {"uint8", "uint16",  "uint32",    "uint64",
                                      "int64", "float32", "reference", "another type"};
    return kNames[static_cast<int>(type)];
}

}  // namespace mtlprune
