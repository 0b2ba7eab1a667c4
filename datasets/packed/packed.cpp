#include "datasets/packed/packed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/codecs/hdf5/hdf5_file.h"
#include "datasets/codecs/image_file.h"
#include "datasets/codecs/normal_codes.h"
#include "datasets/packed/label_stream.h"

namespace mtlprune {
namespace {

template <typename T>
std::vector<T> numbers_of(const Hdf5Dataset& array) {
    const auto bytes = array.read_all();
    std::vector<T> numbers(bytes.size() / sizeof(T));
    std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(T));
    return numbers;
}

/// `json[key]`, or an Error.
const nlohmann::json& entry(const nlohmann::json& json, const char* key, const std::string& place) {
    if (!json.is_object() || !json.contains(key))
        throw Error("packed file", place, fmt::format("'{}'", key), "nothing");
    return json[key];
}

double number(const nlohmann::json& json, const char* key, const std::string& place) {
    const auto& value = entry(json, key, place);
    if (!value.is_number()) throw Error("packed file", place + ": " + key, "a number", value.dump());
    return value.get<double>();
}

/// Where the elements lie, all inside the file and one after the other.
int64_t position_of(const Hdf5Dataset& array, int64_t file_size) {
    if (array.bytes() == 0) return 0;
    const auto position = array.file_offset();
    if (!position) throw Error("packed file", array.place(), "elements one after the other", "chunks");
    if (*position < 0 || array.bytes() > file_size || *position > file_size - array.bytes())
        throw Error("packed file", array.place(), fmt::format("{} bytes at {}", array.bytes(), *position),
                    fmt::format("a file of {}", file_size));
    return *position;
}

void check_offsets(const std::vector<uint64_t>& offsets, int64_t bytes, const std::string& place) {
    bool rising = offsets.front() == 0 && offsets.back() == static_cast<uint64_t>(bytes);
    for (size_t i = 1; rising && i < offsets.size(); ++i) rising = offsets[i - 1] <= offsets[i];
    if (!rising)
        throw Error("packed file", place, fmt::format("offsets rising from 0 to {}", bytes), "others");
}

Hdf5Type element_type(int type) {
    if (type == CV_64FC1) return Hdf5Type::int64;
    return CV_MAT_DEPTH(type) == CV_8U ? Hdf5Type::uint8 : Hdf5Type::float32;
}

}  // namespace

std::vector<std::string> packed_splits(const std::filesystem::path& path) {
    const std::string place = path.string();
    const auto file = Hdf5File::open(path);
    if (file.text_attribute("format") != kPackedFormat)
        throw Error("packed file", place, kPackedFormat, "'" + file.text_attribute("format") + "'");
    const auto text = file.dataset("metadata").read_all();
    const auto metadata = parse_json({text.begin(), text.end()}, place + ": metadata");
    const auto& splits = entry(metadata, "splits", place);
    std::vector<std::pair<double, std::string>> starts;
    for (const auto& [name, range] : splits.items())
        starts.emplace_back(number(range, "first", place + ": splits"), name);
    std::sort(starts.begin(), starts.end());
    std::vector<std::string> names;
    for (const auto& start : starts) names.push_back(start.second);
    return names;
}

PackedDataset::PackedDataset(PackedOptions options) : options_(std::move(options)) {
    file_ = std::make_unique<InputFile>(options_.path, "packed file");
    read_structure();
    read_split(static_cast<int64_t>(ids_.size()));
}

void PackedDataset::read_structure() {
    const std::string place = options_.path.string();
    const auto file = Hdf5File::open(options_.path);
    const std::string format = file.text_attribute("format");
    if (format != kPackedFormat) throw Error("packed file", place, kPackedFormat, "'" + format + "'");
    const auto text = file.dataset("metadata").read_all();
    metadata_ = parse_json({text.begin(), text.end()}, place + ": metadata");
    const auto& ids = entry(metadata_, "ids", place);
    if (!ids.is_array()) throw Error("packed file", place + ": ids", "a list", ids.dump().substr(0, 40));
    for (const auto& id : ids)
        ids_.push_back(id.is_string() ? id.get<std::string>()
                                      : throw Error("packed file", place + ": ids", "text", id.dump()));
    tasks_ = packed_tasks(entry(metadata_, "tasks", place), place + ": tasks");
    for (const auto& modality : entry(metadata_, "modalities", place)) {
        Stored stored;
        static_cast<PackedModality&>(stored) = packed_modality(modality, tasks_, place + ": modalities");
        read_modality(file, stored, static_cast<int64_t>(ids_.size()));
        modalities_.push_back(std::move(stored));
    }
    const auto sums = file.dataset("crc32");
    sums.require(Hdf5Type::uint32, {static_cast<int64_t>(ids_.size()), columns_});
    check_sums_ = numbers_of<uint32_t>(sums);
    std::vector<std::vector<uint64_t>> offsets;
    for (const auto& stored : modalities_)
        if (!stored.offsets.empty()) offsets.push_back(stored.offsets);
    const std::string digest = packed_digest(text, check_sums_, offsets);
    if (digest != file.text_attribute("sha256"))
        throw Error("packed file", place, "digest " + file.text_attribute("sha256"), digest + " (damaged)");
}

void PackedDataset::read_modality(const Hdf5File& file, Stored& stored, int64_t frames) {
    const std::string place = options_.path.string() + ": " + stored.name;
    if (stored.encoding == PackedEncoding::from_depth) {
        const auto& json = entry(metadata_, "normals_from_depth", place);
        camera_ = {number(json, "fx", place), number(json, "fy", place), number(json, "cx", place),
                   number(json, "cy", place)};
        normals_radius_ = static_cast<int>(number(json, "radius", place));
        if (!metric_depth(tasks_)) throw Error("packed file", place, "a task of depth in metres", "none");
        return;
    }
    stored.column = columns_++;
    const auto data = file.dataset(stored.name);
    stored.position = position_of(data, file_->size());
    if (stored.encoding != PackedEncoding::raw) {
        data.require(Hdf5Type::uint8, {-1});
        const auto offsets = file.dataset(stored.name + "_offsets");
        offsets.require(Hdf5Type::uint64, {frames + 1});
        stored.offsets = numbers_of<uint64_t>(offsets);
        return check_offsets(stored.offsets, data.bytes(), place);
    }
    const bool flat = stored.name == "classes";
    data.require(element_type(stored.type),
                 flat ? std::vector<int64_t>{frames, -1}
                      : std::vector<int64_t>{frames, -1, -1, CV_MAT_CN(stored.type)});
    const int64_t height = flat ? 1 : data.shape()[1], width = data.shape()[flat ? 1 : 2];
    if (height < 1 || width < 1 || height > kLargestSide || width > kLargestSide)
        throw Error("packed file", place, fmt::format("sides in 1..{}", kLargestSide),
                    fmt::format("{}x{}", width, height));
    const size_t classified = classified_tasks(tasks_).size();
    if (flat && width != static_cast<int64_t>(classified))
        throw Error("packed file", place, fmt::format("{} classes of a frame", classified),
                    std::to_string(width));
    stored.size = cv::Size(static_cast<int>(width), static_cast<int>(height));
}

void PackedDataset::read_split(int64_t stored_frames) {
    const std::string place = options_.path.string() + ": splits";
    const auto& splits = entry(metadata_, "splits", place);
    std::vector<std::string> names;
    for (const auto& [name, range] : splits.items()) names.push_back(name);
    if (!splits.is_object() || !splits.contains(options_.split))
        throw Error(
            "packed file", place, "split '" + options_.split + "'",
            fmt::format("only {}{}", nlohmann::json(names).dump(), did_you_mean(options_.split, names)));
    const double first = number(splits[options_.split], "first", place),
                 count = number(splits[options_.split], "count", place);
    if (!(first >= 0 && count >= 1 && first + count <= static_cast<double>(stored_frames)))
        throw Error("packed file", place, fmt::format("frames in 0..{}", stored_frames - 1),
                    splits[options_.split].dump());
    const auto start = static_cast<int64_t>(first), available = static_cast<int64_t>(count);
    if (options_.limit < 0 || options_.limit > available)
        throw Error("packed file", place + ": " + options_.split, fmt::format("a limit in 0..{}", available),
                    std::to_string(options_.limit));
    const int64_t used = options_.limit == 0 ? available : options_.limit;
    for (int64_t i = 0; i < used; ++i) frames_.push_back(start + i * available / used);
}

std::string PackedDataset::place_of(int64_t frame, const std::string& name) const {
    return fmt::format("{}: {} ({}): {}", options_.path.string(), frame, ids_[frame], name);
}

void PackedDataset::verify(const Stored& stored, int64_t frame, const void* bytes, size_t length) const {
    const uint32_t expected = check_sums_[frame * columns_ + stored.column],
                   found = packed_check_sum(bytes, length);
    if (expected != found)
        throw Error("packed file", place_of(frame, stored.name), fmt::format("check sum {:08x}", expected),
                    fmt::format("{:08x} (damaged)", found));
}

cv::Mat PackedDataset::read_pixels(const Stored& stored, int64_t frame) const {
    if (stored.encoding == PackedEncoding::raw) {
        cv::Mat pixels(stored.size, stored.type);
        const size_t length = pixels.total() * pixels.elemSize();
        file_->read(pixels.data, length, stored.position + frame * static_cast<int64_t>(length));
        verify(stored, frame, pixels.data, length);
        return pixels;
    }
    const uint64_t start = stored.offsets[frame];
    std::vector<uint8_t> stream(stored.offsets[frame + 1] - start);
    file_->read(stream.data(), stream.size(), stored.position + static_cast<int64_t>(start));
    verify(stored, frame, stream.data(), stream.size());
    const std::string place = place_of(frame, stored.name);
    return stored.encoding == PackedEncoding::image_file ? decode_colour_image(stream, place)
                                                         : decode_labels(stream, stored.type, place);
}

void PackedDataset::read_classes(const Stored& stored, int64_t frame, Sample& sample) const {
    std::vector<int64_t> classes(stored.size.width);
    const size_t length = classes.size() * sizeof(int64_t);
    file_->read(classes.data(), length, stored.position + frame * static_cast<int64_t>(length));
    verify(stored, frame, classes.data(), length);
    const auto tasks = classified_tasks(tasks_);
    for (size_t i = 0; i < tasks.size(); ++i) sample.labels[tasks[i]].class_index = classes[i];
}

Sample PackedDataset::get(int64_t index) const {
    if (index < 0 || index >= size())
        throw Error("packed file", options_.split, fmt::format("a frame in 0..{}", size() - 1),
                    std::to_string(index));
    const int64_t frame = frames_[index];
    Sample sample{ids_[frame], {}, std::vector<Label>(tasks_.size())};
    for (const auto& stored : modalities_) {
        if (stored.name == "classes")
            read_classes(stored, frame, sample);
        else if (stored.encoding != PackedEncoding::from_depth)
            (stored.task < 0 ? sample.image : sample.labels[stored.task].pixels) = read_pixels(stored, frame);
    }
    for (const auto& stored : modalities_)
        if (stored.encoding == PackedEncoding::from_depth)
            sample.labels[stored.task].pixels = encode_normals(
                normals_from_depth(sample.labels[*metric_depth(tasks_)].pixels, camera_, normals_radius_));
    for (const auto& stored : modalities_) {
        if (stored.task < 0) continue;
        if (sample.labels[stored.task].pixels.size() != sample.image.size())
            throw Error("packed file", place_of(frame, stored.name), "the size of the image", "another");
    }
    return sample;
}

std::string PackedDataset::description() const {
    const auto& split = metadata_["splits"][options_.split];
    const std::string source = split.value("description", std::string("unknown source"));
    return fmt::format("packed file, split {}: {} frames ({})", options_.split, size(), source);
}

}  // namespace mtlprune
