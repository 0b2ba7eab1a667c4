#include "pruning/evidence/weight_sums.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>

namespace mtlprune {
namespace {

constexpr int64_t kBlockRows = 64;  ///< added in single precision before the columns' doubles see them
constexpr int64_t kBlockColumns =
    1024;  ///< the same for rows; their partial sums stay in the first-level cache
constexpr int64_t kTaskElements = int64_t{1} << 19;
constexpr int64_t kTasksPerWeight = 16;

/// A weight as the matrix it is in memory: dimension 0 against everything else.
struct Matrix {
    const float* data;
    int64_t rows, columns;
};

/// Some rows of one matrix, with their own sums over these rows of every column.
struct Task {
    size_t weight;
    int64_t first, last;
    double* column_sums;
};

template <int P>
float power(float w) {
    return P == 1 ? std::fabs(w) : w * w;
}

template <int P>
void add_row(const float* w, int64_t count, float* columns, double* row) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; ++i) {
        const float x = power<P>(w[i]);
        sum += x;
        columns[i] += x;
    }
    *row += static_cast<double>(sum);
}

/// Four at a time: the partial sums of the columns are loaded and stored once per four weights.
template <int P>
void add_four_rows(const float* w, int64_t stride, int64_t count, float* columns, double* rows) {
    float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
    for (int64_t i = 0; i < count; ++i) {
        const float x0 = power<P>(w[i]), x1 = power<P>(w[stride + i]);
        const float x2 = power<P>(w[2 * stride + i]), x3 = power<P>(w[3 * stride + i]);
        sum0 += x0;
        sum1 += x1;
        sum2 += x2;
        sum3 += x3;
        columns[i] += (x0 + x1) + (x2 + x3);
    }
    for (const float sum : {sum0, sum1, sum2, sum3}) *rows++ += static_cast<double>(sum);
}

template <int P>
void add_block(const Matrix& m, int64_t first, int64_t last, int64_t column, int64_t count, double* rows,
               double* columns) {
    float partial[kBlockColumns];
    std::fill_n(partial, count, 0.0F);
    int64_t row = first;
    for (; row + 4 <= last; row += 4)
        add_four_rows<P>(m.data + row * m.columns + column, m.columns, count, partial, rows + row);
    for (; row < last; ++row) add_row<P>(m.data + row * m.columns + column, count, partial, rows + row);
    for (int64_t i = 0; i < count; ++i) columns[column + i] += static_cast<double>(partial[i]);
}

template <int P>
void run(const Task& task, const Matrix& m, double* rows) {
    for (int64_t first = task.first; first < task.last; first += kBlockRows)
        for (int64_t column = 0; column < m.columns; column += kBlockColumns)
            add_block<P>(m, first, std::min(first + kBlockRows, task.last), column,
                         std::min(kBlockColumns, m.columns - column), rows, task.column_sums);
}

/// Large enough to be worth a task, few enough that their column sums are small beside the weight.
int64_t rows_per_task(const Matrix& m) {
    const int64_t rows = std::max(kTaskElements / std::max<int64_t>(m.columns, 1), m.rows / kTasksPerWeight);
    return (rows / kBlockRows + 1) * kBlockRows;
}

bool is_channels_last(const torch::Tensor& w) {
    return (w.dim() == 4 && w.is_contiguous(torch::MemoryFormat::ChannelsLast)) ||
           (w.dim() == 5 && w.is_contiguous(torch::MemoryFormat::ChannelsLast3d));
}

bool is_for_the_kernel(const torch::Tensor& w) {
    return w.device().is_cpu() && w.scalar_type() == torch::kFloat32 && w.layout() == torch::kStrided &&
           w.dim() >= 2 && w.numel() > 0;
}

WeightSums sums_by_operations(const torch::Tensor& w, int p) {
    WeightSums sums{weight_sums_along(w, 0, p), {}};
    if (w.dim() >= 2) sums.columns = weight_sums_along(w, 1, p);
    return sums;
}

/// The kernel's work on several weights: first all of it in tasks, then the columns of each in order.
class FusedPass {
  public:
    explicit FusedPass(const std::vector<torch::Tensor>& weights) {
        for (const auto& weight : weights) {
            const bool fits = weight.is_contiguous() || is_channels_last(weight);
            weights_.push_back(fits ? weight : weight.contiguous());
            const auto& w = weights_.back();
            matrices_.push_back({w.data_ptr<float>(), w.size(0), w.numel() / w.size(0)});
        }
        cut_into_tasks();
    }

    std::vector<WeightSums> run(int p) {
        std::vector<WeightSums> sums(weights_.size());
        for (size_t i = 0; i < sums.size(); ++i) sums[i].rows.assign(matrices_[i].rows, 0.0);
        std::atomic<size_t> next{0};
        at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
            for (size_t t = next++; t < tasks_.size(); t = next++) {
                const auto& task = tasks_[t];
                const auto kernel = p == 1 ? mtlprune::run<1> : mtlprune::run<2>;
                kernel(task, matrices_[task.weight], sums[task.weight].rows.data());
            }
        });
        for (size_t i = 0; i < sums.size(); ++i) sums[i].columns.assign(weights_[i].size(1), 0.0);
        for (const auto& task : tasks_) fold(task, sums[task.weight].columns);
        return sums;
    }

  private:
    void cut_into_tasks() {
        int64_t size = 0;
        for (size_t i = 0; i < matrices_.size(); ++i) {
            const int64_t rows = rows_per_task(matrices_[i]);
            for (int64_t first = 0; first < matrices_[i].rows; first += rows) {
                tasks_.push_back({i, first, std::min(first + rows, matrices_[i].rows), nullptr});
                size += matrices_[i].columns;
            }
        }
        column_sums_.assign(size, 0.0);
        size = 0;
        for (auto& task : tasks_) {
            task.column_sums = column_sums_.data() + size;
            size += matrices_[task.weight].columns;
        }
    }

    /// A row in memory is [dim 1, kernel], or [kernel, dim 1] in channels-last.
    void fold(const Task& task, std::vector<double>& columns) const {
        const auto count = static_cast<int64_t>(columns.size());
        const int64_t kernel = matrices_[task.weight].columns / count;
        const bool is_last = !weights_[task.weight].is_contiguous();
        const int64_t step = is_last ? 1 : kernel, stride = is_last ? count : 1;
        for (int64_t k = 0; k < kernel; ++k)
            for (int64_t c = 0; c < count; ++c) columns[c] += task.column_sums[c * step + k * stride];
    }

    std::vector<torch::Tensor> weights_;
    std::vector<Matrix> matrices_;
    std::vector<Task> tasks_;
    std::vector<double> column_sums_;
};

}  // namespace

std::vector<double> weight_sums_along(const torch::Tensor& weight, int64_t dim, int p) {
    const auto w = weight.detach();
    auto powers = (p == 1 ? w.abs() : w.to(torch::promoteTypes(w.scalar_type(), torch::kFloat32)).square());
    std::vector<int64_t> others;
    for (int64_t d = 0; d < w.dim(); ++d)
        if (d != dim) others.push_back(d);
    if (!others.empty()) powers = powers.sum(others, /*keepdim=*/false, torch::kFloat64);
    const auto sums = powers.to(torch::kCPU, torch::kFloat64).contiguous();
    return {sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel()};
}

std::vector<WeightSums> weight_sums(const std::vector<torch::Tensor>& weights, int p) {
    TORCH_CHECK(p == 1 || p == 2, "weight_sums: p is 1 or 2");
    std::vector<WeightSums> sums(weights.size());
    std::vector<torch::Tensor> fused;
    std::vector<size_t> numbers;
    for (size_t i = 0; i < weights.size(); ++i) {
        if (!is_for_the_kernel(weights[i])) {
            sums[i] = sums_by_operations(weights[i], p);
            continue;
        }
        fused.push_back(weights[i].detach());
        numbers.push_back(i);
    }
    auto fused_sums = FusedPass(fused).run(p);
    for (size_t i = 0; i < numbers.size(); ++i) sums[numbers[i]] = std::move(fused_sums[i]);
    return sums;
}

}  // namespace mtlprune
