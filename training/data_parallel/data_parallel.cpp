#include "training/data_parallel/data_parallel.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <map>

#include "base/error.h"
#include "base/torch_message.h"
#include "training/data_parallel/process_group.h"

namespace mtlprune {
namespace {

constexpr const char* kDataParallel = "data-parallel training";
/// As PyTorch's DistributedDataParallel: large enough for the network, small enough to overlap.
constexpr int64_t kBucketBytes = 25 << 20;

/// Indices of tensors of one type that are sent together.
using Bucket = std::vector<size_t>;

std::vector<Bucket> buckets_of(const std::vector<torch::Tensor>& tensors) {
    std::vector<Bucket> buckets;
    std::map<torch::ScalarType, std::pair<size_t, int64_t>> open;  // bucket and its bytes
    for (size_t i = 0; i < tensors.size(); ++i) {
        const auto type = tensors[i].scalar_type();
        const auto bytes = static_cast<int64_t>(tensors[i].nbytes());
        const auto found = open.find(type);
        if (found == open.end() || found->second.second + bytes > kBucketBytes) {
            open[type] = {buckets.size(), 0};
            buckets.emplace_back();
        }
        auto& [bucket, size] = open[type];
        buckets[bucket].push_back(i);
        size += bytes;
    }
    return buckets;
}

std::vector<torch::Tensor> flatten(const std::vector<torch::Tensor>& tensors,
                                   const std::vector<Bucket>& buckets) {
    std::vector<torch::Tensor> flat;
    for (const auto& bucket : buckets) {
        std::vector<torch::Tensor> parts;
        for (const size_t i : bucket) parts.push_back(tensors[i].detach().reshape(-1));
        flat.push_back(torch::cat(parts));
    }
    return flat;
}

/// Calls `take(i, values)` for every tensor, with values of its shape.
template <typename Take>
void unflatten(const std::vector<torch::Tensor>& flat, const std::vector<torch::Tensor>& tensors,
               const std::vector<Bucket>& buckets, const Take& take) {
    for (size_t b = 0; b < buckets.size(); ++b) {
        int64_t begin = 0;
        for (const size_t i : buckets[b]) {
            take(i, flat[b].narrow(0, begin, tensors[i].numel()).view(tensors[i].sizes()));
            begin += tensors[i].numel();
        }
    }
}

}  // namespace

bool DataParallel::available() {
    return has_process_groups();
}

std::string DataParallel::place() const {
    return fmt::format("rank {} of {}", layout_.rank, layout_.ranks);
}

DataParallel::DataParallel(const ProcessLayout& layout, torch::Device device) : layout_(layout) {
    try {
        group_ = open_process_group(layout, device);
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {
        throw Error(kDataParallel, place(),
                    fmt::format("all ranks to meet at {}:{}", layout.address, layout.port),
                    torch_message(error));
    }
}

DataParallel::~DataParallel() = default;

template <typename Call>
void DataParallel::guarded(const Call& call) {
    const torch::NoGradGuard no_grad;
    try {
        call();
    } catch (const std::exception& error) {
        throw Error(kDataParallel, place(), "an answer of every rank", torch_message(error));
    }
}

void DataParallel::sum(std::vector<torch::Tensor>& tensors) {
    guarded([&] {
        const auto buckets = buckets_of(tensors);
        auto flat = flatten(tensors, buckets);
        group_->sum(flat);
        // Not in place: whoever holds this rank's own gradients keeps them.
        unflatten(flat, tensors, buckets, [&](size_t i, const torch::Tensor& values) {
            tensors[i] = torch::empty_like(tensors[i]).copy_(values);
        });
    });
}

void DataParallel::broadcast(const std::vector<torch::Tensor>& tensors) {
    guarded([&] {
        const auto buckets = buckets_of(tensors);
        const auto flat = flatten(tensors, buckets);
        std::vector<torch::Tensor> bytes;  // Gloo does not know all types
        for (const auto& bucket : flat) bytes.push_back(bucket.view(torch::kByte));
        group_->broadcast(bytes);
        if (first()) return;
        unflatten(flat, tensors, buckets,
                  [&](size_t i, const torch::Tensor& values) { torch::Tensor(tensors[i]).copy_(values); });
    });
}

int64_t DataParallel::of_first(int64_t value) {
    const auto number = torch::tensor(value);
    broadcast({number});
    return number.item<int64_t>();
}

void DataParallel::require_equal(const std::string& what, int64_t value) {
    const int64_t expected = of_first(value);
    if (value != expected)
        throw Error(kDataParallel, place(), fmt::format("{} of the first rank, {}", what, expected),
                    std::to_string(value));
}

void DataParallel::barrier() {
    std::vector<torch::Tensor> one{torch::ones({1})};
    sum(one);
}

}  // namespace mtlprune
