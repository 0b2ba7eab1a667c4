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

/// A weight, and perhaps its gradient, as the matrix that it is in memory: dimension 0 against everything
/// else.
struct Matrix {
    const float* weights;
    const float* gradients;  ///< null without one
    int64_t rows, columns;

    Matrix at(int64_t row, int64_t column) const {
        const int64_t offset = row * columns + column;
        return {weights + offset, gradients == nullptr ? nullptr : gradients + offset, rows, columns};
    }
};

/// Some rows of one matrix, with their own sums over these rows of every column.
struct Task {
    size_t weight;
    int64_t first, last;
    double* column_sums;
};

template <Summand S>
float summand(float x) {
    return S == Summand::absolute ? std::fabs(x) : S == Summand::square ? x * x : x;
}

template <Summand S, bool HasGradients>
float element(const Matrix& m, int64_t i) {
    return summand<S>(HasGradients ? m.weights[i] * m.gradients[i] : m.weights[i]);
}

template <Summand S, bool HasGradients>
void add_row(const Matrix& m, int64_t count, float* columns, double* row) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; ++i) {
        const float x = element<S, HasGradients>(m, i);
        sum += x;
        columns[i] += x;
    }
    *row += static_cast<double>(sum);
}

/// Four at a time: the partial sums of the columns are loaded and stored once per four weights.
template <Summand S, bool HasGradients>
void add_four_rows(const Matrix& m, int64_t count, float* columns, double* rows) {
    const int64_t stride = m.columns;
    float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
    for (int64_t i = 0; i < count; ++i) {
        const float x0 = element<S, HasGradients>(m, i), x1 = element<S, HasGradients>(m, stride + i);
        const float x2 = element<S, HasGradients>(m, 2 * stride + i);
        const float x3 = element<S, HasGradients>(m, 3 * stride + i);
        sum0 += x0;
        sum1 += x1;
        sum2 += x2;
        sum3 += x3;
        columns[i] += (x0 + x1) + (x2 + x3);
    }
    for (const float sum : {sum0, sum1, sum2, sum3}) *rows++ += static_cast<double>(sum);
}

template <Summand S, bool HasGradients>
void add_block(const Matrix& m, int64_t first, int64_t last, int64_t column, int64_t count, double* rows,
               double* columns) {
    float partial[kBlockColumns];
    std::fill_n(partial, count, 0.0F);
    int64_t row = first;
    for (; row + 4 <= last; row += 4)
        add_four_rows<S, HasGradients>(m.at(row, column), count, partial, rows + row);
    for (; row < last; ++row) add_row<S, HasGradients>(m.at(row, column), count, partial, rows + row);
    for (int64_t i = 0; i < count; ++i) columns[column + i] += static_cast<double>(partial[i]);
}

template <Summand S, bool HasGradients>
void run(const Task& task, const Matrix& m, double* rows) {
    for (int64_t first = task.first; first < task.last; first += kBlockRows)
        for (int64_t column = 0; column < m.columns; column += kBlockColumns)
            add_block<S, HasGradients>(m, first, std::min(first + kBlockRows, task.last), column,
                                       std::min(kBlockColumns, m.columns - column), rows, task.column_sums);
}

using Kernel = void (*)(const Task&, const Matrix&, double*);

template <bool HasGradients>
Kernel kernel_of(Summand summand) {
    switch (summand) {
        case Summand::absolute:
            return run<Summand::absolute, HasGradients>;
        case Summand::square:
            return run<Summand::square, HasGradients>;
        case Summand::value:
            break;
    }
    return run<Summand::value, HasGradients>;
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

torch::MemoryFormat layout_of(const torch::Tensor& w) {
    if (!is_channels_last(w) || w.is_contiguous()) return torch::MemoryFormat::Contiguous;
    return w.dim() == 4 ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::ChannelsLast3d;
}

WeightSums sums_by_operations(const torch::Tensor& w, Summand summand, const torch::Tensor& gradient) {
    WeightSums sums{weight_sums_along(w, 0, summand, gradient), {}};
    if (w.dim() >= 2) sums.columns = weight_sums_along(w, 1, summand, gradient);
    return sums;
}

/// The kernel's work on several weights: first all of it in tasks, then the columns of each in order.
class FusedPass {
  public:
    /// An undefined gradient is none.
    void add(const torch::Tensor& weight, const torch::Tensor& gradient) {
        const auto layout = layout_of(weight);
        const auto& w = weights_.emplace_back(weight.contiguous(layout));
        const auto& g = gradients_.emplace_back(
            gradient.defined() ? gradient.to(torch::kFloat32).contiguous(layout) : gradient);
        matrices_.push_back({w.data_ptr<float>(), g.defined() ? g.data_ptr<float>() : nullptr, w.size(0),
                             w.numel() / w.size(0)});
    }

    std::vector<WeightSums> run(Summand summand) {
        cut_into_tasks();
        const auto plain = kernel_of<false>(summand), with_gradients = kernel_of<true>(summand);
        std::vector<WeightSums> sums(weights_.size());
        for (size_t i = 0; i < sums.size(); ++i) sums[i].rows.assign(matrices_[i].rows, 0.0);
        std::atomic<size_t> next{0};
        at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
            for (size_t t = next++; t < tasks_.size(); t = next++) {
                const auto& task = tasks_[t];
                const auto& matrix = matrices_[task.weight];
                (matrix.gradients == nullptr ? plain : with_gradients)(task, matrix,
                                                                       sums[task.weight].rows.data());
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

    std::vector<torch::Tensor> weights_, gradients_;
    std::vector<Matrix> matrices_;
    std::vector<Task> tasks_;
    std::vector<double> column_sums_;
};

}  // namespace

std::vector<double> weight_sums_along(const torch::Tensor& weight, int64_t dim, Summand summand,
                                      const torch::Tensor& gradient) {
    const auto w = weight.detach();
    const auto type = torch::promoteTypes(w.scalar_type(), torch::kFloat32);
    auto x = gradient.defined() ? w.to(type) * gradient.to(w.device(), type) : w.to(type);
    if (summand != Summand::value) x = summand == Summand::absolute ? x.abs() : x.square();
    std::vector<int64_t> others;
    for (int64_t d = 0; d < w.dim(); ++d)
        if (d != dim) others.push_back(d);
    if (!others.empty()) x = x.sum(others, /*keepdim=*/false, torch::kFloat64);
    const auto sums = x.to(torch::kCPU, torch::kFloat64).contiguous();
    return {sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel()};
}

std::vector<WeightSums> weight_sums(const std::vector<torch::Tensor>& weights, Summand summand,
                                    const std::vector<torch::Tensor>& gradients) {
    TORCH_CHECK(gradients.empty() || gradients.size() == weights.size(),
                "weight_sums: one gradient for each weight, or none");
    std::vector<WeightSums> sums(weights.size());
    FusedPass fused;
    std::vector<size_t> numbers;
    for (size_t i = 0; i < weights.size(); ++i) {
        const auto gradient = gradients.empty() ? torch::Tensor() : gradients[i].detach();
        if (is_for_the_kernel(weights[i])) {
            fused.add(weights[i].detach(), gradient);
            numbers.push_back(i);
        } else {
            sums[i] = sums_by_operations(weights[i], summand, gradient);
        }
    }
    auto fused_sums = fused.run(summand);
    for (size_t i = 0; i < numbers.size(); ++i) sums[numbers[i]] = std::move(fused_sums[i]);
    return sums;
}

}  // namespace mtlprune
