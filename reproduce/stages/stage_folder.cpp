#include "reproduce/stages/stage_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "reproduce/results/stage_rows.h"

namespace mtlprune {
namespace {

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool take_lock(int folder) {
    constexpr int kAttempts = 20;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (::flock(folder, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
}

}  // namespace

StageFolder::StageFolder(std::filesystem::path path)
    : path_(std::move(path)), last_checkpoint_(now_seconds()) {
    make_folder(path_);
    lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ < 0)
        throw Error(fmt::format("{}: cannot open folder: {}", path_.string(), std::strerror(errno)));
}

// The other constructor has completed, so that the destructor lets the lock go when one of these checks
// throws.
StageFolder::StageFolder(std::filesystem::path path, const nlohmann::json& config)
    : StageFolder(std::move(path)) {
    if (!take_lock(lock_))
        throw Error(
            fmt::format("{}: another process is running this stage; wait for it or stop it", path_.string()));
    const auto file = path_ / "config.json";
    if (std::filesystem::exists(file) && parse_json(read_file(file), file.string()) != config)
        throw Error(
            fmt::format("{}: belongs to another configuration than the one that is run; remove the folder",
                        file.string()));
    remove_killed_writes();
    write("config.json", config.dump(2) + "\n");
}

StageFolder::StageFolder(std::filesystem::path path, Reader)
    : path_(std::move(path)), last_checkpoint_(0.0) {}

void StageFolder::require_writer(const std::string& name) const {
    if (lock_ < 0) throw std::logic_error(fmt::format("{} of a rank that only reads", name));
}

void StageFolder::remove_killed_writes() const {
    std::vector<std::filesystem::path> left;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
        if (entry.path().extension().string().rfind(".tmp", 0) == 0) left.push_back(entry.path());
    for (const auto& file : left) std::filesystem::remove(file);
}

StageFolder::~StageFolder() {
    if (lock_ >= 0) ::close(lock_);
}

std::optional<TensorMap> StageFolder::load_checkpoint() const {
    const auto file = path_ / "checkpoint.pt";
    if (!std::filesystem::exists(file)) return std::nullopt;
    return load_tensors(file);
}

void StageFolder::save_checkpoint(const TensorMap& tensors) {
    require_writer("checkpoint.pt");
    save_tensors(path_ / "checkpoint.pt", tensors);
    last_checkpoint_ = now_seconds();
}

void StageFolder::write(const std::string& name, const std::string& content) {
    require_writer(name);
    write_file_atomically(path_ / name, content);
}

void StageFolder::write_rows(Table rows, const TableRow& key) {
    require_writer("results.csv");
    add_status(rows, key, "PASSED");
    rows.write(path_ / "results.csv");
}

void StageFolder::finish() {
    write("DONE", "");
}

double StageFolder::seconds_since_checkpoint() const {
    return now_seconds() - last_checkpoint_;
}

}  // namespace mtlprune
