#include "bench/kit/scratch_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"

namespace mtlprune {
namespace {

class ScratchFolder {
  public:
    ScratchFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "mtlprune_bench_XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw Error("temporary folder", name, std::string("cannot be made: ") + std::strerror(errno));
        path_ = name;
    }
    ~ScratchFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace

const std::filesystem::path& scratch_folder() {
    static const ScratchFolder folder;
    return folder.path();
}

}  // namespace mtlprune
