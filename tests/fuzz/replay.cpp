// Stands in for libFuzzer where the compiler has none: runs a target on every file of its corpus, then on
// mutations of them drawn from a fixed seed, so that a failure repeats.
//   PROGRAM CORPUS [MUTATIONS] [SEED]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/atomic_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr const char* kLastInput = "fuzz-last-input";

std::vector<Bytes> read_corpus(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<Bytes> corpus;
    for (const auto& path : paths) {
        const std::string content = mtlprune::read_file(path);
        corpus.emplace_back(content.begin(), content.end());
    }
    return corpus;
}

class Mutator {
  public:
    Mutator(const std::vector<Bytes>& corpus, uint64_t seed) : corpus_(corpus), random_(seed) {}

    Bytes next() {
        Bytes bytes = corpus_[below(corpus_.size())];
        for (size_t left = 1 + below(6); left > 0; --left) mutate(bytes);
        return bytes;
    }

  private:
    size_t below(size_t n) { return static_cast<size_t>(random_() % n); }

    void mutate(Bytes& bytes) {
        if (bytes.empty()) {
            bytes.push_back(static_cast<uint8_t>(random_()));
            return;
        }
        const size_t at = below(bytes.size());
        const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        switch (below(8)) {
            case 0:
                bytes[at] ^= static_cast<uint8_t>(1u << below(8));
                return;
            case 1:
                bytes[at] = static_cast<uint8_t>(random_());
                return;
            case 2:
                bytes.resize(at);
                return;
            case 3:
                bytes.insert(place, 1 + below(8), static_cast<uint8_t>(random_()));
                return;
            case 4:
                bytes.erase(place, place + static_cast<std::ptrdiff_t>(
                                               1 + below(std::min<size_t>(8, bytes.size() - at))));
                return;
            case 5:  // extreme lengths
                for (size_t i = at; i < std::min(at + 4, bytes.size()); ++i)
                    bytes[i] = random_() % 2 ? 0xff : 0x7f;
                return;
            case 6: {  // a piece of another input
                const Bytes& other = corpus_[below(corpus_.size())];
                if (other.empty()) return;
                const size_t from = below(other.size());
                const size_t length = std::min({1 + below(32), other.size() - from, bytes.size() - at});
                std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), length, place);
                return;
            }
            default:  // digits, of sizes written as text
                bytes[at] = static_cast<uint8_t>("0123456789-,()[]{}\"'"[below(20)]);
        }
    }

    const std::vector<Bytes>& corpus_;
    std::mt19937_64 random_;
};

/// The input is on disk while it runs, where a crash leaves it.
void run(const Bytes& bytes, bool keep) {
    if (keep)
        std::ofstream(kLastInput, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS] [SEED]; FUZZ_KEEP=1 leaves the last input in %s\n",
                     argv[0], kLastInput);
        return 2;
    }
    const auto corpus = read_corpus(argv[1]);
    if (corpus.empty()) {
        std::fprintf(stderr, "%s: no files\n", argv[1]);
        return 2;
    }
    const bool keep = std::getenv("FUZZ_KEEP") != nullptr;
    const long mutations = argc > 2 ? std::atol(argv[2]) : 10000;
    for (const Bytes& bytes : corpus) run(bytes, keep);
    Mutator mutator(corpus, argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1);
    for (long i = 0; i < mutations; ++i) run(mutator.next(), keep);
    std::printf("%zu files and %ld mutations\n", corpus.size(), mutations);
    return 0;
}
