// What the HDF5 sources share: entry into the library, which is not reentrant, and ownership of its handles.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

#include "base/error.h"

namespace mtlprune::hdf5 {

/// While one exists, this thread is the only one inside the library, which prints nothing.
class Entry {
  public:
    Entry();
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

  private:
    std::unique_lock<std::recursive_mutex> lock_;
    H5E_auto2_t handler_ = nullptr;
    void* handler_data_ = nullptr;
};

/// The library's own words for the last failure, innermost first, on one line.
std::string last_error();

[[noreturn]] inline void fail(const std::string& place, const std::string& what) {
    throw Error("HDF5", place, what, last_error());
}

/// Owns an identifier.
class Handle {
  public:
    Handle() = default;
    /// Throws Error naming `place` and `what` when `id` is not valid.
    Handle(hid_t id, herr_t (*close)(hid_t), const std::string& place, const std::string& what)
        : id_(id), close_(close) {
        if (id < 0) fail(place, what);
    }
    ~Handle() { reset(); }
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(close_, other.close_);
        return *this;
    }
    hid_t get() const { return id_; }
    /// Closes; what the library answers.
    herr_t reset() {
        if (id_ < 0) return 0;
        const Entry entry;
        return close_(std::exchange(id_, -1));
    }

  private:
    hid_t id_ = -1;
    herr_t (*close_)(hid_t) = nullptr;
};

}  // namespace mtlprune::hdf5
