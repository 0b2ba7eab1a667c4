#include "datasets/codecs/hdf5/hdf5_file.h"

#include <fmt/format.h>

#include "base/file_content.h"
#include "base/input_file.h"
#include "datasets/codecs/hdf5/hdf5_dataset.h"
#include "datasets/codecs/hdf5/hdf5_library.h"

namespace mtlprune {
namespace hdf5 {
namespace {

std::recursive_mutex& library_mutex() {
    static std::recursive_mutex mutex;
    return mutex;
}

herr_t note_message(unsigned, const H5E_error2_t* error, void* text) {
    auto& line = *static_cast<std::string*>(text);
    if (line.empty() && error->desc != nullptr) line = error->desc;
    return 0;
}

}  // namespace

Entry::Entry() : lock_(library_mutex()) {
    H5Eget_auto2(H5E_DEFAULT, &handler_, &handler_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Entry::~Entry() {
    H5Eset_auto2(H5E_DEFAULT, handler_, handler_data_);
}

std::string last_error() {
    std::string line;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_message, &line);
    return line.empty() ? "none" : line;
}

}  // namespace hdf5

using hdf5::Entry;
using hdf5::Handle;

namespace {

constexpr int64_t kLongestText = 4096;

Handle text_type(const std::string& place, size_t length) {
    Handle type(H5Tcopy(H5T_C_S1), H5Tclose, place, "a text type");
    H5Tset_size(type.get(), length);
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    return type;
}

std::string utf8_of(const std::vector<uint16_t>& characters) {
    std::string text;
    for (const uint16_t c : characters) {
        if (c < 0x80) {
            text += static_cast<char>(c);
        } else if (c < 0x800) {
            text += static_cast<char>(0xc0 | c >> 6);
            text += static_cast<char>(0x80 | (c & 0x3f));
        } else {
            text += static_cast<char>(0xe0 | c >> 12);
            text += static_cast<char>(0x80 | (c >> 6 & 0x3f));
            text += static_cast<char>(0x80 | (c & 0x3f));
        }
    }
    return text;
}

/// Creation properties that keep the time out of the file: equal contents give equal bytes.
Handle untimed(hid_t kind, const std::string& place) {
    Handle properties(H5Pcreate(kind), H5Pclose, place, "creation properties");
    H5Pset_obj_track_times(properties.get(), false);
    return properties;
}

void add_parents(hid_t file, const std::string& name, const std::string& place) {
    const Handle properties = untimed(H5P_GROUP_CREATE, place);
    for (size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1)) {
        const auto parent = name.substr(0, end);
        if (H5Lexists(file, parent.c_str(), H5P_DEFAULT) > 0) continue;
        const Handle group(H5Gcreate2(file, parent.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                           H5Gclose, place, "a group that can be added");
    }
}

}  // namespace

/// The format's first bytes, which lie behind a block of the user's, as MATLAB writes one of 512 bytes.
const std::string kSignature = "\x89HDF\r\n\x1a\n";
constexpr size_t kLargestUserBlock = 4096;

struct Hdf5File::Impl {
    Handle file;
    int64_t bytes = 0;
};

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
    const InputFile input(path, "HDF5 file");  // for its messages about missing files
    const int64_t bytes = input.size();
    std::string start(kLargestUserBlock + kSignature.size(), '\0');
    start.resize(input.read_up_to(start.data(), start.size(), 0));
    if (start.find(kSignature) == std::string::npos) {
        const std::string found = content_text(start, bytes);
        throw Error("HDF5 file", path.string(), "a complete HDF5 file", found);
    }
    const Entry entry;
    Hdf5File result(path);
    result.impl_ = std::make_shared<Impl>();
    result.impl_->bytes = bytes;
    result.impl_->file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, path.string(),
                                "a complete HDF5 file");
    return result;
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
    const Entry entry;
    Hdf5File result(path);
    result.impl_ = std::make_shared<Impl>();
    const std::string place = path.string();
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, place, "file access properties");
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
    const Handle creation = untimed(H5P_FILE_CREATE, place);
    result.impl_->file = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()),
                                H5Fclose, place, "a file that can be written");
    return result;
}

bool Hdf5File::has(const std::string& name) const {
    const Entry entry;
    for (size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
        if (H5Lexists(impl_->file.get(), name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
    return H5Lexists(impl_->file.get(), name.c_str(), H5P_DEFAULT) > 0;
}

Hdf5Dataset Hdf5File::dataset(const std::string& name) const {
    const Entry entry;
    const std::string place = path_.string() + ": /" + name;
    auto impl = std::make_shared<Hdf5Dataset::Impl>();
    if (!has(name)) throw Error("HDF5", place, "an array", "nothing");
    impl->file = impl_;
    impl->file_bytes = impl_->bytes;
    impl->array = Handle(H5Dopen2(impl_->file.get(), name.c_str(), H5P_DEFAULT), H5Dclose, place, "an array");
    return {std::move(impl), place};
}

Hdf5Dataset Hdf5File::add(const std::string& name, Hdf5Type type, const std::vector<int64_t>& shape) {
    const Entry entry;
    const std::string place = path_.string() + ": /" + name;
    const std::vector<hsize_t> sizes(shape.begin(), shape.end());
    const Handle space(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose,
                       place, "a shape");
    add_parents(impl_->file.get(), name, place);
    const Handle layout = untimed(H5P_DATASET_CREATE, place);
    H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER);
    auto impl = std::make_shared<Hdf5Dataset::Impl>();
    impl->file = impl_;
    impl->array = Handle(H5Dcreate2(impl_->file.get(), name.c_str(), hdf5::file_type(type), space.get(),
                                    H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                         H5Dclose, place, "an array that can be added");
    return {std::move(impl), place};
}

std::vector<std::string> Hdf5File::read_cell_strings(const std::string& name) const {
    const Hdf5Dataset cells = dataset(name);
    if (cells.type() != Hdf5Type::reference)
        throw Error("HDF5", cells.place(), "a cell array (references)", to_string(cells.type()));
    const auto bytes = cells.read_all();
    const Entry entry;
    std::vector<std::string> strings;
    for (size_t at = 0; at + sizeof(hobj_ref_t) <= bytes.size(); at += sizeof(hobj_ref_t)) {
        const std::string place = fmt::format("{}[{}]", cells.place(), strings.size());
        auto impl = std::make_shared<Hdf5Dataset::Impl>();
        impl->file = impl_;
        impl->file_bytes = impl_->bytes;
        impl->array = Handle(H5Rdereference2(impl_->file.get(), H5P_DEFAULT, H5R_OBJECT, bytes.data() + at),
                             H5Oclose, place, "a reference to text");
        if (H5Iget_type(impl->array.get()) != H5I_DATASET)
            throw Error("HDF5", place, "a reference to text", "another object");
        const Hdf5Dataset text(std::move(impl), place);
        if (text.type() != Hdf5Type::uint16 || text.bytes() > kLongestText)
            throw Error("HDF5", place, fmt::format("UTF-16 text of at most {} bytes", kLongestText),
                        fmt::format("{} bytes of {}", text.bytes(), to_string(text.type())));
        std::vector<uint16_t> characters(text.bytes() / 2);
        text.read(std::vector<int64_t>(text.shape().size(), 0), text.shape(), characters.data());
        strings.push_back(utf8_of(characters));
    }
    return strings;
}

std::string Hdf5File::text_attribute(const std::string& name) const {
    const Entry entry;
    const std::string place = path_.string() + ": attribute " + name;
    if (H5Aexists(impl_->file.get(), name.c_str()) <= 0) throw Error("HDF5", place, "text", "nothing");
    const Handle attribute(H5Aopen(impl_->file.get(), name.c_str(), H5P_DEFAULT), H5Aclose, place, "text");
    const Handle type(H5Aget_type(attribute.get()), H5Tclose, place, "text");
    const auto length = static_cast<int64_t>(H5Tget_size(type.get()));
    const Handle space(H5Aget_space(attribute.get()), H5Sclose, place, "text");
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0 ||
        H5Sget_simple_extent_npoints(space.get()) != 1 || length < 1 || length > kLongestText)
        throw Error("HDF5", place, fmt::format("text of 1..{} bytes", kLongestText), "something else");
    std::string text(length, '\0');
    if (H5Aread(attribute.get(), type.get(), text.data()) < 0) hdf5::fail(place, "readable text");
    return text.substr(0, text.find('\0'));
}

void Hdf5File::set_text_attribute(const std::string& name, const std::string& text) {
    const Entry entry;
    const std::string place = path_.string() + ": attribute " + name;
    const Handle type = text_type(place, text.size());
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose, place, "a scalar");
    const Handle attribute(
        H5Acreate2(impl_->file.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
        H5Aclose, place, "an attribute that can be added");
    if (H5Awrite(attribute.get(), type.get(), text.data()) < 0) hdf5::fail(place, "space to write");
}

void Hdf5File::close() {
    const Entry entry;
    const auto file = std::move(impl_);
    if (H5Fflush(file->file.get(), H5F_SCOPE_GLOBAL) < 0 || file->file.reset() < 0)
        hdf5::fail(path_.string(), "space to write");
}

}  // namespace mtlprune
