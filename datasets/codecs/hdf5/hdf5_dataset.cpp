#include "datasets/codecs/hdf5/hdf5_dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "datasets/codecs/deflate.h"

namespace mtlprune {

using hdf5::Entry;
using hdf5::Handle;

namespace {

constexpr Hdf5Type kHdf5Types[] = {Hdf5Type::uint8, Hdf5Type::uint16,  Hdf5Type::uint32,   Hdf5Type::uint64,
                                   Hdf5Type::int64, Hdf5Type::float32, Hdf5Type::reference};
constexpr int64_t kLargestSize = int64_t{1} << 48;

using Sizes = std::vector<hsize_t>;

Sizes sizes_of(const std::vector<int64_t>& values) {
    return {values.begin(), values.end()};
}

void unshuffle(std::vector<uint8_t>& bytes, int64_t width) {
    const std::vector<uint8_t> planes = bytes;
    const int64_t count = static_cast<int64_t>(bytes.size()) / width;
    for (int64_t b = 0; b < width; ++b)
        for (int64_t i = 0; i < count; ++i) bytes[i * width + b] = planes[b * count + i];
}

/// Steps through all positions of a box in C order; false after the last.
bool advance(std::vector<int64_t>& at, const std::vector<int64_t>& low, const std::vector<int64_t>& high,
             const std::vector<int64_t>& step) {
    for (size_t axis = at.size(); axis-- > 0;) {
        at[axis] += step[axis];
        if (at[axis] < high[axis]) return true;
        at[axis] = low[axis];
    }
    return false;
}

/// An array in memory that covers part of a larger one.
struct Block {
    const std::vector<int64_t>& start;
    const std::vector<int64_t>& count;
    int64_t offset(const std::vector<int64_t>& at) const {
        int64_t index = 0;
        for (size_t axis = 0; axis < at.size(); ++axis) index = index * count[axis] + at[axis] - start[axis];
        return index;
    }
};

void copy_overlap(const Block& from, const uint8_t* source, const Block& to, uint8_t* target, int64_t width) {
    const size_t axes = from.start.size();
    std::vector<int64_t> low(axes), high(axes), step(axes, 1);
    for (size_t axis = 0; axis < axes; ++axis) {
        low[axis] = std::max(from.start[axis], to.start[axis]);
        high[axis] = std::min(from.start[axis] + from.count[axis], to.start[axis] + to.count[axis]);
        if (low[axis] >= high[axis]) return;
    }
    step.back() = high.back() - low.back();  // whole runs along the last axis
    std::vector<int64_t> at = low;
    do std::memcpy(target + to.offset(at) * width, source + from.offset(at) * width, step.back() * width);
    while (advance(at, low, high, step));
}

/// A box of an array, as the library wants it: where it lies in the file and how it lies in memory.
struct Selection {
    Selection(hid_t array, const std::vector<int64_t>& start, const std::vector<int64_t>& count,
              const std::string& place)
        : file(H5Dget_space(array), H5Sclose, place, "a shape") {
        const Sizes from = sizes_of(start), size = sizes_of(count);
        memory = Handle(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose,
                        place, "a shape");
        if (H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, from.data(), nullptr, size.data(), nullptr) < 0)
            hdf5::fail(place, "a box inside the array");
    }
    Handle file, memory;
};

}  // namespace

Hdf5Dataset::Hdf5Dataset(std::shared_ptr<Impl> impl, std::string place)
    : impl_(std::move(impl)), place_(std::move(place)) {
    describe();
}

void Hdf5Dataset::describe() {
    const Entry entry;
    const hid_t array = impl_->array.get();
    const Handle type(H5Dget_type(array), H5Tclose, place_, "a type");
    for (const Hdf5Type known : kHdf5Types)
        if (H5Tequal(type.get(), hdf5::file_type(known)) > 0) type_ = known;
    const Handle space(H5Dget_space(array), H5Sclose, place_, "a shape");
    const int axes = H5Sget_simple_extent_ndims(space.get());
    Sizes sizes(std::max(axes, 0));
    if (axes < 1 || H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr) < 0)
        hdf5::fail(place_, "an array with axes");
    double elements = 8;
    for (const hsize_t size : sizes) elements *= static_cast<double>(size);
    if (elements > static_cast<double>(kLargestSize))
        throw Error("HDF5", place_, "a shape of this world", fmt::format("[{}]", fmt::join(sizes, ", ")));
    shape_.assign(sizes.begin(), sizes.end());
    const Handle layout(H5Dget_create_plist(array), H5Pclose, place_, "a layout");
    if (H5Pget_layout(layout.get()) != H5D_CHUNKED) return;
    for (int f = 0; f < H5Pget_nfilters(layout.get()); ++f) {
        unsigned flags = 0, configuration = 0;
        size_t values = 0;
        const auto filter =
            H5Pget_filter2(layout.get(), f, &flags, &values, nullptr, 0, nullptr, &configuration);
        if (filter == H5Z_FILTER_SHUFFLE && f == 0)
            impl_->shuffle_filter = f;
        else if (filter == H5Z_FILTER_DEFLATE && impl_->deflate_filter < 0)
            impl_->deflate_filter = f;
        else
            return;  // the library unpacks it
    }
    Sizes chunk(axes);
    if (H5Pget_chunk(layout.get(), axes, chunk.data()) == axes) chunk_.assign(chunk.begin(), chunk.end());
}

int64_t Hdf5Dataset::bytes() const {
    int64_t total = element_bytes(type_);
    for (const int64_t size : shape_) total *= size;
    return total;
}

int64_t Hdf5Dataset::stored_bytes() const {
    const Entry entry;
    return static_cast<int64_t>(H5Dget_storage_size(impl_->array.get()));
}

std::optional<int64_t> Hdf5Dataset::file_offset() const {
    const Entry entry;
    const haddr_t offset = H5Dget_offset(impl_->array.get());
    if (offset == HADDR_UNDEF) return std::nullopt;
    return static_cast<int64_t>(offset);
}

void Hdf5Dataset::require(Hdf5Type type, const std::vector<int64_t>& shape) const {
    bool same = type == type_ && shape.size() == shape_.size();
    for (size_t axis = 0; same && axis < shape.size(); ++axis)
        same = shape[axis] == -1 || shape[axis] == shape_[axis];
    if (!same)
        throw Error("HDF5", place_, fmt::format("{} [{}]", to_string(type), fmt::join(shape, ", ")),
                    fmt::format("{} [{}]", to_string(type_), fmt::join(shape_, ", ")));
}

void Hdf5Dataset::read(const std::vector<int64_t>& start, const std::vector<int64_t>& count,
                       void* out) const {
    if (type_ == Hdf5Type::other) throw Error("HDF5", place_, "a number type", to_string(type_));
    if (std::any_of(count.begin(), count.end(), [](int64_t c) { return c == 0; })) return;
    if (chunk_.empty()) return read_through_library(start, count, out);
    std::vector<int64_t> low(start.size()), high(start.size());
    for (size_t axis = 0; axis < start.size(); ++axis) {
        low[axis] = start[axis] / chunk_[axis] * chunk_[axis];
        high[axis] = start[axis] + count[axis];
    }
    thread_local std::vector<uint8_t> elements;
    std::vector<int64_t> at = low;
    do {
        read_chunk(at, elements);
        copy_overlap({at, chunk_}, elements.data(), {start, count}, static_cast<uint8_t*>(out),
                     element_bytes(type_));
    } while (advance(at, low, high, chunk_));
}

void Hdf5Dataset::read_through_library(const std::vector<int64_t>& start, const std::vector<int64_t>& count,
                                       void* out) const {
    const Entry entry;
    const Selection part(impl_->array.get(), start, count, place_);
    if (H5Dread(impl_->array.get(), hdf5::file_type(type_), part.memory.get(), part.file.get(), H5P_DEFAULT,
                out) < 0)
        hdf5::fail(place_, "readable elements");
}

void Hdf5Dataset::read_chunk(const std::vector<int64_t>& chunk_start, std::vector<uint8_t>& elements) const {
    const std::string place = fmt::format("{}[{}]", place_, fmt::join(chunk_start, ", "));
    const Sizes at = sizes_of(chunk_start);
    int64_t size = element_bytes(type_);
    for (const int64_t length : chunk_) size *= length;
    thread_local std::vector<uint8_t> stored;
    uint32_t skipped = 0;
    {
        const Entry entry;
        hsize_t stored_size = 0;
        if (H5Dget_chunk_storage_size(impl_->array.get(), at.data(), &stored_size) < 0)
            hdf5::fail(place, "a stored chunk");
        const auto length = static_cast<int64_t>(stored_size);
        const int64_t ratio = impl_->deflate_filter < 0 ? 1 : kLargestDeflateRatio;
        if (length < 1 || length > impl_->file_bytes || size > length * ratio)
            throw Error("HDF5", place, fmt::format("a chunk that holds {} bytes", size),
                        fmt::format("{} bytes in a file of {}", length, impl_->file_bytes));
        stored.resize(length);
        if (H5Dread_chunk(impl_->array.get(), H5P_DEFAULT, at.data(), &skipped, stored.data()) < 0)
            hdf5::fail(place, "a readable chunk");
    }
    const auto applied = [&](int filter) { return filter >= 0 && (skipped >> filter & 1) == 0; };
    if (applied(impl_->deflate_filter)) {
        elements.resize(size);
        inflate_zlib(stored, elements, "HDF5", place);
    } else {
        if (static_cast<int64_t>(stored.size()) != size)
            throw Error("HDF5", place, fmt::format("{} bytes", size), fmt::format("{}", stored.size()));
        elements = stored;
    }
    if (applied(impl_->shuffle_filter)) unshuffle(elements, element_bytes(type_));
}

std::vector<uint8_t> Hdf5Dataset::read_all() const {
    const int64_t possible = stored_bytes() * kLargestDeflateRatio;
    if (bytes() > possible || stored_bytes() > impl_->file_bytes)
        throw Error("HDF5", place_, fmt::format("{} bytes", bytes()),
                    fmt::format("{} in a file of {}", stored_bytes(), impl_->file_bytes));
    std::vector<uint8_t> all(bytes());
    read(std::vector<int64_t>(shape_.size(), 0), shape_, all.data());
    return all;
}

void Hdf5Dataset::write(const std::vector<int64_t>& start, const std::vector<int64_t>& count,
                        const void* in) {
    if (std::any_of(count.begin(), count.end(), [](int64_t c) { return c == 0; })) return;
    const Entry entry;
    const Selection part(impl_->array.get(), start, count, place_);
    if (H5Dwrite(impl_->array.get(), hdf5::file_type(type_), part.memory.get(), part.file.get(), H5P_DEFAULT,
                 in) < 0)
        hdf5::fail(place_, "space to write");
}

}  // namespace mtlprune
