#include "pruning/evidence/layer_watch.h"

#include <ATen/record_function.h>
#include <torch/utils.h>

#include <exception>
#include <map>
#include <optional>

#include "base/error.h"
#include "models/layers/convolve.h"
#include "pruning/ops/operator.h"

namespace mtlprune {
namespace {

/// The calls of this thread that are watched. LibTorch's callbacks are plain functions.
class LayerWatch {
  public:
    LayerWatch(const Evidence& evidence, const std::function<void(const LayerCall&)>& visit) : visit_(visit) {
        for (size_t i = 0; i < evidence.asked().size(); ++i)
            for (const auto& member : evidence.groups()[evidence.asked()[i]].members) {
                const auto found = evidence.tensors().find(member.tensor);
                if (found == evidence.tensors().end() || member.is_buffer || found->second.dim() < 2)
                    continue;
                auto& entry = weights_[key_of(found->second)];
                entry.weight = member.tensor;
                entry.uses.push_back({i, &member});
            }
    }

    /// The call without its output when it is an outermost layer with a weight that is watched. Arguments are
    /// there only now.
    std::optional<LayerCall> begin(const at::RecordFunction& call) {
        if (inside_ || error_ || operator_of(call.name()).scored != Scored::layer) return {};
        for (const auto& argument : call.inputs()) {
            const auto found = weight_of(argument);
            if (found == weights_.end()) continue;
            inside_ = true;
            auto layer = found->second;
            layer.op = &operator_of(call.name());
            layer.arguments.assign(call.inputs().begin(), call.inputs().end());
            return layer;
        }
        return {};
    }

    void end(const at::RecordFunction& call, LayerCall& layer) {
        inside_ = false;
        try {
            const at::DisableRecordFunctionGuard not_watched;
            layer.input = input_of(layer.arguments);
            layer.output = call.outputs().at(0).toTensor();
            visit_(layer);
        } catch (...) {
            error_ = std::current_exception();  // LibTorch would only print it
        }
    }

    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    using Weights = std::map<std::pair<const void*, int64_t>, LayerCall>;

    /// Of a tensor and its transposed view, as which linear layers multiply by it.
    static Weights::key_type key_of(const torch::Tensor& tensor) {
        return {tensor.data_ptr(), tensor.numel()};
    }

    Weights::const_iterator weight_of(const c10::IValue& argument) const {
        const bool stored = argument.isTensor() && argument.toTensor().has_storage();
        return stored ? weights_.find(key_of(argument.toTensor())) : weights_.end();
    }

    /// The first argument that is neither weight nor bias.
    torch::Tensor input_of(const std::vector<c10::IValue>& arguments) const {
        for (const auto& argument : arguments)
            if (argument.isTensor() && argument.toTensor().dim() > 1 && weight_of(argument) == weights_.end())
                return argument.toTensor();
        throw Error("layer", "input", "a tensor", "none");
    }

    const std::function<void(const LayerCall&)>& visit_;
    Weights weights_;
    bool inside_ = false;
    std::exception_ptr error_;
};

thread_local LayerWatch* current_watch = nullptr;

struct WatchedCall : at::ObserverContext {
    std::optional<LayerCall> layer;
};

std::unique_ptr<at::ObserverContext> begin_call(const at::RecordFunction& call) {
    auto context = std::make_unique<WatchedCall>();
    if (current_watch != nullptr) context->layer = current_watch->begin(call);
    return context;
}

void end_call(const at::RecordFunction& call, at::ObserverContext* context) {
    auto& layer = static_cast<WatchedCall*>(context)->layer;
    if (current_watch != nullptr && layer) current_watch->end(call, *layer);
}

/// The callback of this thread, as long as it lives.
class Callbacks {
  public:
    explicit Callbacks(LayerWatch& watch)
        : before_(current_watch),
          handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(begin_call, end_call)
                                                 .needsInputs(true)
                                                 .needsOutputs(true)
                                                 .scopes({at::RecordScope::FUNCTION}))) {
        current_watch = &watch;
    }
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;
    ~Callbacks() {
        at::removeCallback(handle_);
        current_watch = before_;
    }

  private:
    LayerWatch* before_;
    at::CallbackHandle handle_;
};

bool is_convolution(const LayerCall& call) {
    return call.arguments.size() > 1 && call.arguments[1].isTensor() &&
           call.arguments[1].toTensor().dim() > 2;
}

/// [B,C,P] of the channels `member` names along the channels of a map.
torch::Tensor channels_of(const torch::Tensor& map, bool convolution, const Member& member) {
    const auto first = convolution ? map.transpose(0, 1) : map.movedim(-1, 0);  // [I,B,...]
    const auto indices = torch::tensor(member.indices, torch::kLong).to(map.device());
    const auto channels = static_cast<int64_t>(member.indices.size()) / member.per_channel;
    const auto chosen =
        first.index_select(0, indices).reshape({channels, member.per_channel, map.size(0), -1});
    return chosen.permute({2, 0, 1, 3}).reshape({map.size(0), channels, -1});
}

}  // namespace

void watch_layers(const Evidence& evidence, const std::function<void()>& pass,
                  const std::function<void(const LayerCall&)>& visit) {
    LayerWatch watch(evidence, visit);
    {
        const LibraryConvolutions watched;
        const Callbacks callbacks(watch);
        pass();
    }
    watch.rethrow();
}

torch::Tensor channels_read(const LayerCall& call, const Member& member) {
    return channels_of(call.input, is_convolution(call), member);
}

torch::Tensor channels_given(const LayerCall& call, const Member& member) {
    return channels_of(call.output, is_convolution(call), member);
}

}  // namespace mtlprune
