#include "bench/compare/recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "base/progress.h"
#include "base/random.h"
#include "bench/compare/interleaved_rounds.h"

namespace mtlprune::bench {
namespace {

constexpr const char* kRecordingSubject = "recording";

/// A file that grows by whole lines.
class LineFile {
  public:
    explicit LineFile(const std::filesystem::path& path)
        : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
        if (file_ < 0) fail();
    }
    ~LineFile() { ::close(file_); }
    LineFile(const LineFile&) = delete;
    LineFile& operator=(const LineFile&) = delete;

    void append(const nlohmann::json& json) {
        const auto line = json.dump() + "\n";
        if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
            ::fdatasync(file_) != 0)
            fail();
    }

  private:
    [[noreturn]] void fail() const {
        throw Error(kRecordingSubject, path_.string(), fmt::format("cannot write: {}", std::strerror(errno)));
    }
    std::filesystem::path path_;
    int file_;
};

nlohmann::json suite_json(const GateSuite& suite) {
    nlohmann::json programs = nlohmann::json::array();
    for (const auto& program : suite.programs)
        programs.push_back({program.program, program.filter, program.min_time, program.repetitions,
                            program.metric.name, program.metric.higher_is_better});
    return {{"environment", suite.environment}, {"programs", programs}};
}

nlohmann::json header_of(const InterleavedRounds& rounds, const GateSuite& suite) {
    nlohmann::json benchmarks = nlohmann::json::array(), higher = nlohmann::json::array();
    for (size_t i = 0; i < rounds.benchmarks().size(); ++i) {
        benchmarks.push_back(rounds.title(i));
        higher.push_back(rounds.metric_of(i).higher_is_better);
    }
    return {{"variants", Recording::kVariants},
            {"benchmarks", benchmarks},
            {"higher_is_better", higher},
            {"suite", suite_json(suite)}};
}

/// Complete lines only.
std::vector<std::string> complete_lines(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t first = 0, end = 0; (end = text.find('\n', first)) != std::string::npos; first = end + 1)
        lines.push_back(text.substr(first, end - first));
    return lines;
}

/// How many rounds the file has; writes the header of a new one and removes what was cut off.
int64_t prepare_file(const std::filesystem::path& path, const nlohmann::json& header) {
    const std::string text = std::filesystem::exists(path) ? read_file(path, kRecordingSubject) : "";
    const auto lines = complete_lines(text);
    if (lines.empty()) {
        write_file_atomically(path, header.dump() + "\n");
        return 0;
    }
    if (parse_json(lines[0], path.string() + ":1") != header)
        throw Error(kRecordingSubject, path.string(), "a recording of the same benchmarks and suite",
                    fmt::format("{:.200}", lines[0]));
    if (text.back() != '\n') std::filesystem::resize_file(path, text.rfind('\n') + 1);
    return static_cast<int64_t>(lines.size()) - 1;
}

std::vector<size_t> first_numbers(size_t count) {
    std::vector<size_t> numbers(count);
    for (size_t i = 0; i < count; ++i) numbers[i] = i;
    return numbers;
}

double load_average() {
    double load = 0;
    return ::getloadavg(&load, 1) == 1 ? load : -1;
}

std::vector<std::vector<double>> round_of(const nlohmann::json& json, size_t benchmarks,
                                          const std::string& place) {
    const auto& values = json.is_object() && json.contains("values") ? json["values"] : json;
    if (!values.is_array() || values.size() != Recording::kVariants.size())
        throw Error(kRecordingSubject, place, "values of four variants", json.dump().substr(0, 40));
    std::vector<std::vector<double>> round;
    for (const auto& variant : values) {
        if (!variant.is_array() || variant.size() != benchmarks)
            throw Error(kRecordingSubject, place, fmt::format("{} values per variant", benchmarks),
                        variant.dump().substr(0, 40));
        auto& own = round.emplace_back();
        for (const auto& value : variant) {
            if (!value.is_number() || !(value.get<double>() > 0))
                throw Error(kRecordingSubject, place, "positive numbers", value.dump());
            own.push_back(value.get<double>());
        }
    }
    return round;
}

}  // namespace

void record_rounds(const RecordOptions& options) {
    InterleavedRounds rounds(options.suite,
                             {{Recording::kVariants[Recording::kPlain], options.folder},
                              {Recording::kVariants[Recording::kAgain], options.folder},
                              {Recording::kVariants[Recording::kPlanted3], options.folder, 0.03},
                              {Recording::kVariants[Recording::kPlanted5], options.folder, 0.05}},
                             // A continued recording draws other orders than its beginning.
                             mix_key(options.seed, Stream::order, static_cast<uint64_t>(::time(nullptr))));
    int64_t done = prepare_file(options.file, header_of(rounds, options.suite));
    LineFile file(options.file);
    const auto benchmarks = first_numbers(rounds.benchmarks().size());
    const auto variants = first_numbers(Recording::kVariants.size());
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    Progress progress;
    for (double passed = 0; passed < options.seconds;) {
        const auto values = rounds.round(benchmarks, variants);
        file.append(
            {{"round", done++}, {"time", ::time(nullptr)}, {"load", load_average()}, {"values", values}});
        passed = std::chrono::duration<double>(Clock::now() - start).count();
        progress.update({std::min(1.0, passed / options.seconds)}, fmt::format("{} rounds recorded", done));
    }
}

Recording read_recording(const std::filesystem::path& path) {
    const auto lines = complete_lines(read_file(path, kRecordingSubject));
    const auto place = path.string();
    if (lines.empty()) throw Error(kRecordingSubject, place, "a header and rounds", "no complete line");
    JsonReader header(parse_json(lines[0], place + ":1"), place + ":1");
    Recording recording;
    if (header.require<std::vector<std::string>>("variants") != Recording::kVariants)
        throw Error(kRecordingSubject, place + ":1", "the variants plain, again, planted 3 %, planted 5 %",
                    "others");
    recording.benchmarks = header.require<std::vector<std::string>>("benchmarks");
    recording.higher_is_better = header.require<std::vector<bool>>("higher_is_better");
    if (recording.benchmarks.empty() || recording.higher_is_better.size() != recording.benchmarks.size())
        throw Error(kRecordingSubject, place + ":1", "a direction for each of the benchmarks",
                    fmt::format("{} for {}", recording.higher_is_better.size(), recording.benchmarks.size()));
    for (size_t i = 1; i < lines.size(); ++i) {
        const auto line = fmt::format("{}:{}", place, i + 1);
        recording.rounds.push_back(round_of(parse_json(lines[i], line), recording.benchmarks.size(), line));
    }
    return recording;
}

}  // namespace mtlprune::bench
