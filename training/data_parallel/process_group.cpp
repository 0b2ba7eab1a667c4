// A translation unit of its own: c10d's headers bring names and macros that nobody else should see.
#include "training/data_parallel/process_group.h"

#include <torch/version.h>

#include "base/error.h"

#ifdef MTLPRUNE_C10D
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef MTLPRUNE_NCCL
#ifndef USE_C10D_NCCL
#define USE_C10D_NCCL
#endif
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <algorithm>
#include <cstdlib>
#include <sstream>
#endif

namespace mtlprune {

#ifdef MTLPRUNE_C10D
namespace {

using namespace std::chrono_literals;

/// For all ranks to come.
constexpr auto kMeetingTimeout = 5min;
/// For one rank while the others wait: the first evaluates and writes.
constexpr auto kAnswerTimeout = 6h;

c10::intrusive_ptr<c10d::Store> open_store(const ProcessLayout& layout) {
    // torchrun's store speaks the protocol of LibTorch 2. Older ones keep theirs at the next port.
    const bool stranger = layout.store_runs && TORCH_VERSION_MAJOR < 2;
    const int64_t next = layout.port < 65535 ? layout.port + 1 : layout.port - 1;
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(stranger ? next : layout.port);
    options.isServer = layout.first() && (stranger || !layout.store_runs);
    options.numWorkers = static_cast<size_t>(layout.ranks);
    options.timeout = kMeetingTimeout;
    return c10::make_intrusive<c10d::PrefixStore>(
        "mtlprune " + layout.store_prefix, c10::make_intrusive<c10d::TCPStore>(layout.address, options));
}

using Gloo = c10d::ProcessGroupGloo;

/// The network interfaces that GLOO_SOCKET_IFNAME names, as PyTorch reads it, or that of the host's name.
void choose_interfaces(Gloo::Options& options) {
    const char* names = std::getenv("GLOO_SOCKET_IFNAME");
    std::istringstream list(names != nullptr ? names : "");
    for (std::string name; std::getline(list, name, ',');)
        options.devices.push_back(Gloo::createDeviceForInterface(name));
    if (options.devices.empty()) options.devices.push_back(Gloo::createDefaultDevice());
}

c10::intrusive_ptr<Gloo> open_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                   const ProcessLayout& layout) {
    const auto options = Gloo::Options::create(kMeetingTimeout);
    choose_interfaces(*options);
    options->timeout = kAnswerTimeout;
    return c10::make_intrusive<Gloo>(store, static_cast<int>(layout.rank), static_cast<int>(layout.ranks),
                                     options);
}

/// Starts a call per buffer, then waits for all.
template <typename Call>
void call_for_each(std::vector<torch::Tensor>& buffers, const Call& call) {
    using Work = decltype(call(std::declval<std::vector<torch::Tensor>&>()));
    std::vector<std::vector<torch::Tensor>> lists;
    std::vector<Work> works;
    for (const auto& buffer : buffers) lists.push_back({buffer});
    for (auto& list : lists) works.push_back(call(list));
    for (const auto& work : works) work->wait();
}

/// Gloo, which works on the CPU: what lies on a GPU goes through the memory of the host.
class GlooGroup : public ProcessGroup {
  public:
    GlooGroup(const c10::intrusive_ptr<c10d::Store>& store, const ProcessLayout& layout)
        : gloo_(open_gloo(store, layout)) {}

    void sum(std::vector<torch::Tensor>& buffers) override {
        on_host(buffers, [&](auto& list) { return gloo_->allreduce(list); });
    }

    void broadcast(std::vector<torch::Tensor>& buffers) override {
        on_host(buffers, [&](auto& list) { return gloo_->broadcast(list); });
    }

  private:
    template <typename Call>
    static void on_host(std::vector<torch::Tensor>& buffers, const Call& call) {
        std::vector<torch::Tensor> host;
        for (const auto& buffer : buffers) host.push_back(buffer.cpu());
        call_for_each(host, call);
        for (size_t i = 0; i < buffers.size(); ++i)
            if (!buffers[i].is_cpu()) buffers[i].copy_(host[i]);
    }

    c10::intrusive_ptr<Gloo> gloo_;
};

#ifdef MTLPRUNE_NCCL
/// NCCL for what lies on this process's GPU, Gloo for the rest.
class NcclGroup : public ProcessGroup {
  public:
    NcclGroup(const c10::intrusive_ptr<c10d::Store>& store, const ProcessLayout& layout)
        : host_(store, layout) {
        const auto options = c10d::ProcessGroupNCCL::Options::create();
        options->timeout = kAnswerTimeout;
        nccl_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(
            c10::make_intrusive<c10d::PrefixStore>("nccl", store), static_cast<int>(layout.rank),
            static_cast<int>(layout.ranks), options);
    }

    void sum(std::vector<torch::Tensor>& buffers) override {
        if (on_host(buffers)) return host_.sum(buffers);
        call_for_each(buffers, [&](auto& list) { return nccl_->allreduce(list); });
    }

    void broadcast(std::vector<torch::Tensor>& buffers) override {
        if (on_host(buffers)) return host_.broadcast(buffers);
        call_for_each(buffers, [&](auto& list) { return nccl_->broadcast(list); });
    }

  private:
    /// The lists that we get lie on one device each.
    static bool on_host(const std::vector<torch::Tensor>& buffers) {
        return std::any_of(buffers.begin(), buffers.end(),
                           [](const auto& buffer) { return buffer.is_cpu(); });
    }

    GlooGroup host_;
    c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;
};
#endif

}  // namespace

bool has_process_groups() {
    return true;
}

std::unique_ptr<ProcessGroup> open_process_group(const ProcessLayout& layout,
                                                 [[maybe_unused]] torch::Device device) {
    const auto store = open_store(layout);
#ifdef MTLPRUNE_NCCL
    if (device.is_cuda()) return std::make_unique<NcclGroup>(store, layout);
#endif
    return std::make_unique<GlooGroup>(store, layout);
}

#else

bool has_process_groups() {
    return false;
}

std::unique_ptr<ProcessGroup> open_process_group(const ProcessLayout& layout, torch::Device) {
    throw Error("data-parallel training",
                "rank " + std::to_string(layout.rank) + " of " + std::to_string(layout.ranks),
                "a LibTorch with c10d and Gloo (./setup.sh and cmake --preset default; with CUDA: ./setup.sh "
                "--torch wheel and cmake --preset wheel)",
                "a build with LibTorch " TORCH_VERSION " without them");
}

#endif

}  // namespace mtlprune
