#include "models/weights/released_weights.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <array>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/json_reader.h"
#include "models/backbones/vgg.h"
#include "models/heads/small_aspp.h"

namespace mtlprune {
namespace {

using StateDict = std::map<std::string, torch::Tensor>;

constexpr const char* kSubject = "released weights";

struct ReleasedTask {
    const char* name;
    TaskKind kind;
};

constexpr std::array<ReleasedTask, 5> kTasks = {{{"segment_semantic", TaskKind::segmentation},
                                                 {"normal", TaskKind::normals},
                                                 {"depth_zbuffer", TaskKind::depth},
                                                 {"keypoints2d", TaskKind::keypoints},
                                                 {"edge_texture", TaskKind::edges}}};

/// Positions of one convolution and of its gate in the released Sequential.
struct Position {
    size_t convolution;
    size_t gate;
};

/// The released order is convolution, ReLU, pooling (some), gate.
std::vector<Position> positions(const std::vector<bool>& pooled) {
    std::vector<Position> found;
    size_t next = 0;
    for (const bool pool : pooled) {
        const size_t gate = next + (pool ? 3 : 2);
        found.push_back({next, gate});
        next = gate + 1;
    }
    return found;
}

std::string shape(const torch::Tensor& tensor) {
    std::ostringstream text;
    text << tensor.sizes();
    return text.str();
}

const torch::Tensor& entry(const StateDict& state_dict, const std::string& name,
                           const std::string& expected) {
    const auto it = state_dict.find(name);
    if (it == state_dict.end() || !it->second.defined()) throw Error(kSubject, name, expected, "nothing");
    return it->second;
}

const torch::Tensor& convolution_weight(const StateDict& state_dict, const std::string& name) {
    const auto& weight = entry(state_dict, name, "a convolution's weight");
    if (weight.dim() != 4) throw Error(kSubject, name, "a tensor of 4 dimensions", shape(weight));
    return weight;
}

const char* released_name(TaskKind kind) {
    for (const auto& task : kTasks)
        if (task.kind == kind) return task.name;
    throw Error(fmt::format("{}: no released head for a {} task", kSubject, to_string(kind)));
}

/// Reads entries by released name and remembers which ones were asked for.
class Reader {
  public:
    explicit Reader(const StateDict& state_dict) : state_dict_(state_dict) {}

    /// The entry, of the shape and type of `like`.
    torch::Tensor take(const std::string& name, const torch::Tensor& like) {
        known_.insert(name);
        const auto& found = entry(state_dict_, name, shape(like));
        if (found.sizes() != like.sizes()) throw Error(kSubject, name, shape(like), shape(found));
        return found.detach().to(like.options().requires_grad(false));
    }

    torch::Tensor take_gate(const std::string& name, const torch::Tensor& bias) {
        if (state_dict_.count(name) == 0) return torch::ones_like(bias).set_requires_grad(false);
        const auto gate = take(name, bias);
        const auto usable = at::isfinite(gate).logical_and(gate >= 0);
        if (!usable.all().item<bool>())
            throw Error(kSubject, name, "finite gates >= 0", "a negative or non-finite gate");
        return gate;
    }

    void require_nothing_else() const {
        for (const auto& [name, tensor] : state_dict_)
            if (known_.count(name) == 0)
                throw Error(kSubject, name, "an entry of this model",
                            "an unknown one of shape " + shape(tensor) +
                                did_you_mean(name, {known_.begin(), known_.end()}));
    }

  private:
    const StateDict& state_dict_;
    std::set<std::string> known_;
};

/// What will be written where, once everything has been checked.
using Copies = std::vector<std::pair<torch::Tensor, torch::Tensor>>;

void plan_convolution(Reader& reader, Copies& copies, const std::string& name, Conv2d& layer) {
    copies.emplace_back(layer->weight, reader.take(name + ".weight", layer->weight));
    copies.emplace_back(layer->bias, reader.take(name + ".bias", layer->bias));
}

std::vector<torch::Tensor> plan_backbone(Reader& reader, Copies& copies, Vgg& backbone) {
    std::vector<torch::Tensor> gates;
    const auto layers = positions(backbone.pooled);
    for (size_t l = 0; l < layers.size(); ++l) {
        auto& layer = backbone.convolutions[l];
        plan_convolution(reader, copies, fmt::format("backbone.{}", layers[l].convolution), layer);
        const auto gate = reader.take_gate(fmt::format("backbone.{}.weight", layers[l].gate), layer->bias);
        // ReLU and max-pooling commute with a factor >= 0, so the gate may act on the weights instead.
        auto& [weight_target, weight] = copies[copies.size() - 2];
        weight = weight * gate.view({-1, 1, 1, 1});
        auto& [bias_target, bias] = copies.back();
        bias = bias * gate;
        gates.push_back(gate);
    }
    return gates;
}

std::shared_ptr<Vgg> released_backbone(const StateDict& state_dict) {
    std::vector<bool> pooled(vgg16_channels().size(), false);
    for (const int64_t number : vgg16_poolings()) pooled.at(number - 1) = true;
    std::vector<int64_t> channels;
    for (const auto& layer : positions(pooled))
        channels.push_back(
            convolution_weight(state_dict, fmt::format("backbone.{}.weight", layer.convolution)).size(0));
    return std::make_shared<Vgg>(channels, vgg16_poolings());
}

std::vector<TaskSpec> released_tasks(const StateDict& state_dict) {
    std::vector<TaskSpec> tasks;
    for (const auto& task : kTasks) {
        const auto prefix = fmt::format("heads.{}.fc1.", task.name);
        const auto first = state_dict.lower_bound(prefix);
        if (first == state_dict.end() || first->first.rfind(prefix, 0) != 0) continue;
        const int64_t channels = convolution_weight(state_dict, prefix + "conv3.weight").size(0);
        tasks.push_back({to_string(task.kind), task.kind, channels});
    }
    if (tasks.empty()) throw Error(kSubject, "heads", "the head of at least one known task", "none");
    return tasks;
}

void plan_head(Reader& reader, Copies& copies, const std::string& released_head, SmallAspp& head) {
    for (size_t b = 0; b < head.branches.size(); ++b) {
        const auto branch = fmt::format("heads.{}.fc{}", released_head, b + 1);
        plan_convolution(reader, copies, branch + ".conv1", head.branches[b]->conv1);
        plan_convolution(reader, copies, branch + ".conv2", head.branches[b]->conv2);
        plan_convolution(reader, copies, branch + ".conv3", head.branches[b]->conv3);
    }
}

}  // namespace

ReleasedNetwork released_network(const StateDict& state_dict) {
    const torch::NoGradGuard no_grad;
    Reader reader(state_dict);
    Copies copies;
    const auto backbone = released_backbone(state_dict);
    auto gates = plan_backbone(reader, copies, *backbone);
    const auto make_head = [&](const TaskSpec& task) {
        const std::string released = released_name(task.kind);
        const auto& first =
            convolution_weight(state_dict, fmt::format("heads.{}.fc1.conv1.weight", released));
        auto head =
            std::make_shared<SmallAspp>(backbone->maps().back().channels, first.size(0), task.channels, 0.5);
        plan_head(reader, copies, released, *head);
        return head;
    };
    auto model = std::make_shared<MultiTaskModel>(backbone, released_tasks(state_dict), make_head);
    reader.require_nothing_else();
    for (auto& [parameter, value] : copies) parameter.copy_(value);
    return {std::move(model), std::move(gates)};
}

}  // namespace mtlprune
