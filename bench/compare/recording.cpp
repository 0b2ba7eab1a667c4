#include "bench/compare/recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/math/distributions/beta.hpp>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "base/progress.h"
#include "base/random.h"
#include "bench/compare/interleaved_rounds.h"

namespace mtlprune::bench {
namespace {

constexpr const char* kRecordingSubject = "recording";
enum RecordedVariant : size_t { kPlain, kPlainAgain, kPlanted3, kPlanted5 };

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

/// One gate on the rounds from `first` on: `variant_of` says what stands for the new side of a benchmark.
class CutGate {
  public:
    CutGate(const Recording& recording, size_t first, std::function<size_t(size_t)> variant_of)
        : recording_(recording), next_(first), variant_of_(std::move(variant_of)) {}

    std::vector<LogRatios> operator()(const std::vector<size_t>& which, int64_t rounds, GatePhase) {
        std::vector<LogRatios> ratios(which.size());
        for (int64_t i = 0; i < rounds; ++i) {
            const auto& round = recording_.rounds.at(next_++);
            for (size_t k = 0; k < which.size(); ++k) {
                const size_t b = which[k];
                const double ratio = std::log(round[variant_of_(b)][b] / round[kPlain][b]);
                ratios[k].push_back(recording_.higher_is_better[b] ? -ratio : ratio);
            }
        }
        return ratios;
    }
    size_t next() const { return next_; }

  private:
    const Recording& recording_;
    size_t next_;
    std::function<size_t(size_t)> variant_of_;
};

std::vector<GateResult> cut_gate(const Recording& recording, const GatePlan& plan, size_t first,
                                 std::function<size_t(size_t)> variant_of, size_t* used = nullptr) {
    CutGate gate(recording, first, std::move(variant_of));
    auto results = run_gate(recording.benchmarks.size(), plan, std::ref(gate));
    if (used != nullptr) *used += gate.next() - first;
    return results;
}

/// Whether a gate finds `benchmark` when it alone is slower.
bool finds(const Recording& recording, const GatePlan& plan, size_t first, size_t benchmark, size_t variant) {
    const auto results = cut_gate(recording, plan, first, [=](size_t b) -> size_t {
        return b == benchmark ? variant : static_cast<size_t>(kPlainAgain);
    });
    return results[benchmark].confirmed;
}

bool has_alarm(const std::vector<GateResult>& results) {
    bool alarm = false;
    for (const auto& result : results) alarm |= result.confirmed;
    return alarm;
}

std::string proportion_text(const Proportion& p) {
    return fmt::format("{:5.1f} % ({:.1f} to {:.1f} %)", 100 * p.rate, 100 * p.low, 100 * p.high);
}

}  // namespace

void record_rounds(const RecordOptions& options) {
    InterleavedRounds rounds(options.suite,
                             {{Recording::kVariants[kPlain], options.folder},
                              {Recording::kVariants[kPlainAgain], options.folder},
                              {Recording::kVariants[kPlanted3], options.folder, 0.03},
                              {Recording::kVariants[kPlanted5], options.folder, 0.05}},
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

Proportion proportion(int64_t count, int64_t of) {
    Proportion result{count, of, static_cast<double>(count) / static_cast<double>(of)};
    const auto k = static_cast<double>(count), n = static_cast<double>(of);
    using Beta = boost::math::beta_distribution<double>;
    if (count > 0) result.low = boost::math::quantile(Beta(k, n - k + 1), 0.025);
    if (count < of) result.high = boost::math::quantile(Beta(k + 1, n - k), 0.975);
    return result;
}

GateRates cut_gates(const Recording& recording, const GatePlan& plan, int64_t pieces, uint64_t seed) {
    const auto longest = static_cast<size_t>(2 * plan.most);
    if (recording.rounds.size() < longest)
        throw Error(kRecordingSubject, "rounds", fmt::format("at least {}, one gate", longest),
                    std::to_string(recording.rounds.size()));
    const size_t places = recording.rounds.size() - longest + 1, benchmarks = recording.benchmarks.size();
    std::vector<int64_t> found_3(benchmarks), found_5(benchmarks);
    int64_t alarms = 0;
    size_t used = 0;
    Progress progress;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const size_t first = Random(seed, Stream::method, static_cast<uint64_t>(piece)).below(places);
        alarms += has_alarm(cut_gate(
            recording, plan, first, [](size_t) -> size_t { return kPlainAgain; }, &used));
        for (size_t b = 0; b < benchmarks; ++b) {
            found_3[b] += finds(recording, plan, first, b, kPlanted3);
            found_5[b] += finds(recording, plan, first, b, kPlanted5);
        }
        progress.update({static_cast<double>(piece + 1) / static_cast<double>(pieces)},
                        fmt::format("gate {} of {}", piece + 1, pieces));
    }
    GateRates rates;
    rates.alarms = proportion(alarms, pieces);
    rates.mean_rounds = static_cast<double>(used) / static_cast<double>(pieces);
    rates.disjoint = static_cast<int64_t>(recording.rounds.size() / longest);
    for (size_t b = 0; b < benchmarks; ++b)
        rates.found.push_back(
            {recording.benchmarks[b], proportion(found_3[b], pieces), proportion(found_5[b], pieces)});
    return rates;
}

std::string rates_text(const GateRates& rates) {
    auto text = fmt::format("{} gates of {:.1f} rounds on average ({} fit side by side); 95 % intervals\n",
                            rates.alarms.of, rates.mean_rounds, rates.disjoint);
    text += fmt::format("false alarms   {}\n", proportion_text(rates.alarms));
    for (const auto& found : rates.found)
        text += fmt::format("3 % found {}   5 % found {}   {}\n", proportion_text(found.planted_3),
                            proportion_text(found.planted_5), found.benchmark);
    return text;
}

}  // namespace mtlprune::bench
