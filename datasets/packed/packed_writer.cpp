#include "datasets/packed/packed_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/codecs/hdf5/hdf5_file.h"
#include "datasets/packed/packed_frame.h"
#include "datasets/packed/spool.h"
#include "datasets/pipeline/parallel_for.h"
#include "datasets/pipeline/resized_dataset.h"

namespace mtlprune {
namespace {

constexpr PackedCodec kCodecs[] = {PackedCodec::jpeg, PackedCodec::png, PackedCodec::raw, PackedCodec::copy};
constexpr int64_t kBlockPerThread = 4;

/// Frame `index` of the whole file: which split's, and its number there.
struct Source {
    const Dataset* frames;
    int64_t index;
};

class Writer {
  public:
    Writer(const std::vector<PackedSplit>& splits, const std::filesystem::path& path,
           const PackedWriterOptions& options);
    void write();

  private:
    void add_split(const PackedSplit& split);
    void start(const PackedFrame& first);
    void append(const PackedFrame& frame);
    void write_spooled();
    void finish();
    nlohmann::json metadata() const;
    bool is_spooled(size_t stream) const { return stored_[stream].encoding != PackedEncoding::raw; }
    int64_t written() const { return static_cast<int64_t>(ids_.size()); }

    const PackedWriterOptions& options_;
    PendingFile pending_;
    Hdf5File file_;
    Spool spool_;
    std::vector<std::shared_ptr<const Dataset>> resized_;
    std::vector<Source> sources_;
    nlohmann::json splits_ = nlohmann::json::object();
    std::vector<TaskSpec> tasks_;
    std::vector<PackedModality> modalities_, stored_;  ///< all, and those with data
    std::vector<std::optional<Hdf5Dataset>> arrays_;   ///< of raw streams
    std::vector<std::vector<uint64_t>> offsets_;       ///< of every stream
    std::vector<uint32_t> check_sums_;
    std::vector<std::string> ids_;
    cv::Size size_;
};

void check_options(const PackedWriterOptions& options) {
    const auto within = [](const char* name, int64_t value, int64_t low, int64_t high) {
        if (value < low || value > high)
            throw Error("packed writer", name, fmt::format("{}..{}", low, high), std::to_string(value));
    };
    within("jpeg_quality", options.jpeg_quality, 1, 100);
    within("level", options.level, 1, 12);
    within("height", options.height, options.width > 0 ? 1 : 0, kLargestSide);
    within("width", options.width, options.height > 0 ? 1 : 0, kLargestSide);
    if (options.codec == PackedCodec::copy && options.height > 0)
        throw Error("packed writer", "codec copy", "the source's size", "another size");
}

Writer::Writer(const std::vector<PackedSplit>& splits, const std::filesystem::path& path,
               const PackedWriterOptions& options)
    : options_(options),
      pending_(path),
      file_(Hdf5File::create(pending_.temporary())),
      spool_(pending_.temporary()) {
    if (splits.empty()) throw Error("packed writer", path.string(), "a split", "none");
    tasks_ = splits.front().frames->tasks();
    for (const auto& split : splits) add_split(split);
    if (options_.normals_from_depth && !metric_depth(tasks_))
        throw Error("packed writer", "normals from depth", "a task of depth in metres", "none");
    modalities_ = modalities_of(sources_.front().frames->get(sources_.front().index), tasks_, options_);
    for (const auto& modality : modalities_)
        if (modality.encoding != PackedEncoding::from_depth) stored_.push_back(modality);
}

void Writer::add_split(const PackedSplit& split) {
    if (split.frames->tasks() != tasks_)
        throw Error("packed writer", split.name, "the tasks of the first split", "others");
    const int64_t available = split.frames->size();
    if (options_.limit < 0 || options_.limit > available)
        throw Error("packed writer", split.name, fmt::format("a limit in 0..{}", available),
                    std::to_string(options_.limit));
    auto frames = split.frames;
    if (options_.height > 0)
        frames = std::make_shared<ResizedDataset>(frames, options_.height, options_.width);
    const int64_t used = options_.limit == 0 ? available : options_.limit;
    splits_[split.name] = {
        {"first", sources_.size()}, {"count", used}, {"description", frames->description()}};
    for (int64_t i = 0; i < used; ++i) sources_.push_back({frames.get(), i * available / used});
    resized_.push_back(std::move(frames));
}

/// Raw streams have their place from the beginning.
void Writer::start(const PackedFrame& first) {
    size_ = first.size;
    const auto frames = static_cast<int64_t>(sources_.size());
    for (const auto& modality : stored_) {
        auto& array = arrays_.emplace_back();
        offsets_.push_back({0});
        if (modality.encoding != PackedEncoding::raw) continue;
        if (modality.name == "classes")
            array = file_.add(modality.name, Hdf5Type::int64,
                              {frames, static_cast<int64_t>(classified_tasks(tasks_).size())});
        else
            array = file_.add(modality.name,
                              CV_MAT_DEPTH(modality.type) == CV_8U ? Hdf5Type::uint8 : Hdf5Type::float32,
                              {frames, size_.height, size_.width, CV_MAT_CN(modality.type)});
    }
}

void Writer::append(const PackedFrame& frame) {
    if (arrays_.empty()) start(frame);
    if (options_.codec == PackedCodec::raw && frame.size != size_)
        throw Error("packed writer", frame.id,
                    fmt::format("{}x{} like the first frame (or give a size)", size_.width, size_.height),
                    fmt::format("{}x{}", frame.size.width, frame.size.height));
    for (size_t s = 0; s < stored_.size(); ++s) {
        const auto& bytes = frame.streams[s];
        check_sums_.push_back(packed_check_sum(bytes.data(), bytes.size()));
        offsets_[s].push_back(offsets_[s].back() + bytes.size());
        if (is_spooled(s)) {
            spool_.append(bytes);
            continue;
        }
        auto count = arrays_[s]->shape();
        count[0] = 1;
        std::vector<int64_t> start(count.size(), 0);
        start[0] = written();
        arrays_[s]->write(start, count, bytes.data());
    }
    ids_.push_back(frame.id);
}

void Writer::write_spooled() {
    for (size_t s = 0; s < stored_.size(); ++s) {
        if (!is_spooled(s)) continue;
        const std::string& name = stored_[s].name;
        arrays_[s] = file_.add(name, Hdf5Type::uint8, {static_cast<int64_t>(offsets_[s].back())});
        const auto count = static_cast<int64_t>(offsets_[s].size());
        file_.add(name + "_offsets", Hdf5Type::uint64, {count}).write({0}, {count}, offsets_[s].data());
    }
    for (int64_t i = 0; i < written(); ++i)
        for (size_t s = 0; s < stored_.size(); ++s) {
            if (!is_spooled(s)) continue;
            const auto start = static_cast<int64_t>(offsets_[s][i]),
                       length = static_cast<int64_t>(offsets_[s][i + 1]) - start;
            arrays_[s]->write({start}, {length}, spool_.take(length).data());
        }
}

nlohmann::json Writer::metadata() const {
    nlohmann::json modalities = nlohmann::json::array();
    for (const auto& modality : modalities_) modalities.push_back(to_json(modality));
    nlohmann::json json = {{"format", kPackedFormat},
                           {"splits", splits_},
                           {"tasks", to_json(tasks_)},
                           {"modalities", modalities},
                           {"ids", ids_},
                           {"options",
                            {{"codec", to_string(options_.codec)},
                             {"jpeg_quality", options_.jpeg_quality},
                             {"height", options_.height},
                             {"width", options_.width},
                             {"limit", options_.limit},
                             {"level", options_.level}}}};
    if (options_.normals_from_depth) {
        const auto& [camera, radius] = *options_.normals_from_depth;
        json["normals_from_depth"] = {
            {"fx", camera.fx}, {"fy", camera.fy}, {"cx", camera.cx}, {"cy", camera.cy}, {"radius", radius}};
    }
    return json;
}

void Writer::finish() {
    write_spooled();
    const std::string text = metadata().dump();
    const auto length = static_cast<int64_t>(text.size()), columns = static_cast<int64_t>(stored_.size());
    file_.add("metadata", Hdf5Type::uint8, {length}).write({0}, {length}, text.data());
    file_.add("crc32", Hdf5Type::uint32, {written(), columns})
        .write({0, 0}, {written(), columns}, check_sums_.data());
    std::vector<std::vector<uint64_t>> offsets;
    for (size_t s = 0; s < stored_.size(); ++s)
        if (is_spooled(s)) offsets.push_back(offsets_[s]);
    file_.set_text_attribute("format", kPackedFormat);
    file_.set_text_attribute("sha256", packed_digest({text.begin(), text.end()}, check_sums_, offsets));
    arrays_.clear();
    file_.close();
    pending_.commit();
}

void Writer::write() {
    const auto total = static_cast<int64_t>(sources_.size());
    const int64_t block = kBlockPerThread * std::max(options_.threads, 1);
    for (int64_t first = 0; first < total; first += block) {
        std::vector<PackedFrame> frames(std::min(block, total - first));
        parallel_for(static_cast<int64_t>(frames.size()), options_.threads, [&](int64_t i) {
            const Source& source = sources_[first + i];
            frames[i] = pack_frame(*source.frames, source.index, modalities_, options_);
        });
        for (const auto& frame : frames) {
            append(frame);
            if (options_.progress) options_.progress(written(), total);
        }
    }
    finish();
}

}  // namespace

std::string to_string(PackedCodec codec) {
    constexpr const char* kNames[] = {"jpeg", "png", "raw", "copy"};
    return kNames[static_cast<int>(codec)];
}

PackedCodec packed_codec(const std::string& name) {
    std::vector<std::string> names;
    for (const PackedCodec codec : kCodecs) {
        if (to_string(codec) == name) return codec;
        names.push_back(to_string(codec));
    }
    throw Error("packed writer", "codec", "jpeg, png, raw or copy",
                "'" + name + "'" + did_you_mean(name, names));
}

void write_packed(const std::vector<PackedSplit>& splits, const std::filesystem::path& path,
                  const PackedWriterOptions& options) {
    check_options(options);
    Writer(splits, path, options).write();
}

}  // namespace mtlprune
