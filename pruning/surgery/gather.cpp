#include "pruning/surgery/gather.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>

#include <bit>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mtlprune {
namespace {

using Word = uint32_t;
constexpr int64_t kWordBytes = sizeof(Word);
constexpr int64_t kLongRun = 256;  // bytes from which a piece is worth a call of memcpy
constexpr int64_t kTaskBytes = 1 << 18;

/// Neighbouring indices that stay, as one piece of memory.
struct Run {
    int64_t source, target, bytes;
};

/// Without branches, unlike the runs themselves, which random channels make expensive to find.
int64_t count_runs(const std::vector<int64_t>& indices) {
    int64_t count = 1;
    for (size_t i = 1; i < indices.size(); ++i) count += indices[i] != indices[i - 1] + 1 ? 1 : 0;
    return count;
}

std::vector<Run> runs_of(const std::vector<int64_t>& indices, int64_t bytes_per_index) {
    std::vector<Run> runs;
    for (size_t i = 0; i < indices.size(); ++i) {
        const bool goes_on = i > 0 && indices[i] == indices[i - 1] + 1;
        if (goes_on)
            runs.back().bytes += bytes_per_index;
        else
            runs.push_back(
                {indices[i] * bytes_per_index, static_cast<int64_t>(i) * bytes_per_index, bytes_per_index});
    }
    return runs;
}

/// Byte offsets of everything in front of the last pruned dimension.
std::vector<int64_t> row_offsets(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    std::vector<int64_t> offsets = {0};
    auto next = kept.begin();
    for (int64_t dim = 0; dim < kept.back().dim; ++dim) {
        std::vector<int64_t> all;
        const bool pruned = next->dim == dim;
        if (!pruned)
            for (int64_t i = 0; i < tensor.size(dim); ++i) all.push_back(i);
        const auto& stay = pruned ? (next++)->indices : all;
        const int64_t stride = tensor.stride(dim) * static_cast<int64_t>(tensor.itemsize());
        std::vector<int64_t> deeper;
        deeper.reserve(offsets.size() * stay.size());
        for (const int64_t offset : offsets)
            for (const int64_t index : stay) deeper.push_back(offset + index * stride);
        offsets = std::move(deeper);
    }
    return offsets;
}

/// Copies the words of a row that stay: random channels leave pieces too short for memcpy.
class WordCopier {
  public:
    WordCopier(const std::vector<int64_t>& indices, int64_t words_per_index) {
        const auto each_word = [&](const auto& add) {
            for (const int64_t index : indices)
                for (int64_t i = 0; i < words_per_index; ++i) add(index * words_per_index + i);
        };
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx512f")) {
            masks_.resize((indices.back() + 1) * words_per_index / kLanes + 1);
            each_word(
                [&](int64_t word) { masks_[word / kLanes] |= static_cast<uint16_t>(1 << word % kLanes); });
            const auto total = static_cast<int64_t>(indices.size()) * words_per_index;
            for (int64_t before = 0; before + kLanes <= total; ++whole_)
                before += std::popcount(masks_[whole_]);
            return;
        }
#endif
        words_.reserve(indices.size() * words_per_index);
        each_word([&](int64_t word) { words_.push_back(word); });
    }

    void operator()(const Word* source, Word* target) const {
#if defined(__x86_64__)
        if (!masks_.empty()) return compress(source, target);
#endif
        for (size_t i = 0; i < words_.size(); ++i) target[i] = source[words_[i]];
    }

  private:
#if defined(__x86_64__)
    /// Reads whole lines and packs what stays, so that memory is the limit. Where the row goes on long
    /// enough, all lanes are written: the next piece covers what was too much.
    __attribute__((target("avx512f,popcnt"))) void compress(const Word* source, Word* target) const {
        const auto pieces = static_cast<int64_t>(masks_.size());
        const int64_t whole = std::min(whole_, pieces - 1);
        for (int64_t i = 0; i < whole; ++i, source += kLanes) {
            _mm512_storeu_si512(target, _mm512_maskz_compress_epi32(masks_[i], _mm512_loadu_si512(source)));
            target += std::popcount(masks_[i]);
        }
        for (int64_t i = whole; i < pieces; ++i, source += kLanes) {
            const auto kept =
                _mm512_maskz_compress_epi32(masks_[i], _mm512_maskz_loadu_epi32(masks_[i], source));
            const int count = std::popcount(masks_[i]);
            _mm512_mask_storeu_epi32(target, static_cast<__mmask16>((1U << count) - 1), kept);
            target += count;
        }
    }
    static constexpr int64_t kLanes = 16;
    std::vector<uint16_t> masks_;  ///< one bit per word of the row; empty where the processor cannot
    int64_t whole_ = 0;            ///< pieces from whose beginning at least kLanes words of the row stay
#endif
    std::vector<int64_t> words_;
};

/// Where rows begin and how much of each stays.
struct GatheredRows {
    const char* source;
    char* target;
    std::vector<int64_t> offsets;  ///< of the source's rows
    int64_t bytes;                 ///< of a row of the target
    int64_t count() const { return static_cast<int64_t>(offsets.size()); }
};

void copy_words(const GatheredRows& rows, const WordCopier& copy) {
    const int64_t grain = std::max<int64_t>(1, kTaskBytes / rows.bytes);
    at::parallel_for(0, rows.count(), grain, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row)
            copy(reinterpret_cast<const Word*>(rows.source + rows.offsets[row]),
                 reinterpret_cast<Word*>(rows.target + row * rows.bytes));
    });
}

/// A single row of short runs: not worth preparing for.
void copy_one_row(const GatheredRows& rows, const std::vector<int64_t>& indices, int64_t words_per_index) {
    const auto* source = reinterpret_cast<const Word*>(rows.source) + rows.offsets[0] / kWordBytes;
    auto* target = reinterpret_cast<Word*>(rows.target);
    if (words_per_index == 1) {
        for (const int64_t index : indices) *target++ = source[index];
        return;
    }
    for (const int64_t index : indices)
        target = std::copy_n(source + index * words_per_index, words_per_index, target);
}

void copy_runs(const GatheredRows& rows, const std::vector<Run>& runs) {
    const auto count = static_cast<int64_t>(runs.size());
    const int64_t grain = std::max<int64_t>(1, kTaskBytes * count / rows.bytes);
    at::parallel_for(0, rows.count() * count, grain, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const auto& run = runs[i % count];
            const int64_t row = i / count;
            std::memcpy(rows.target + row * rows.bytes + run.target,
                        rows.source + rows.offsets[row] + run.source, run.bytes);
        }
    });
}

torch::Tensor gather_dense(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    auto shape = tensor.sizes().vec();
    for (const auto& [dim, indices] : kept) shape[dim] = static_cast<int64_t>(indices.size());
    // Not through the dispatcher, which takes longer than most copies.
    torch::Tensor result = at::detail::empty_cpu(shape, tensor.scalar_type());
    const auto& indices = kept.back().indices;
    const int64_t per_index = tensor.stride(kept.back().dim) * static_cast<int64_t>(tensor.itemsize());
    const GatheredRows rows = {static_cast<const char*>(tensor.data_ptr()),
                               static_cast<char*>(result.data_ptr()), row_offsets(tensor, kept),
                               static_cast<int64_t>(indices.size()) * per_index};
    const bool short_runs = rows.bytes < kLongRun * count_runs(indices);
    if (short_runs && rows.count() == 1 && per_index % kWordBytes == 0)
        copy_one_row(rows, indices, per_index / kWordBytes);
    else if (short_runs && per_index % kWordBytes == 0)
        copy_words(rows, WordCopier(indices, per_index / kWordBytes));
    else if (!indices.empty())
        copy_runs(rows, runs_of(indices, per_index));
    return result;
}

}  // namespace

torch::Tensor gather(const torch::Tensor& tensor, const std::vector<KeptIndices>& kept) {
    if (tensor.is_cpu() && tensor.is_contiguous() && tensor.numel() > 0) return gather_dense(tensor, kept);
    auto result = tensor;
    for (const auto& [dim, indices] : kept)
        result = result.index_select(dim, torch::tensor(indices, torch::kInt64).to(tensor.device()));
    return result.contiguous(tensor.suggest_memory_format());
}

}  // namespace mtlprune
