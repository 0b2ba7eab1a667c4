#include "bench/kit/variants.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <sstream>

#include "base/atomic_file.h"
#include "base/json_reader.h"
#include "pruning/network/prune.h"
#include "pruning/surgery/surgery.h"

namespace mtlprune {
namespace {

/// Widths of the backbone in the released training script of Garg, Zhang, Guan (2023), by pruning event.
const std::map<std::string, std::string> kPublished = {
    {"published-12", "36-60-119-123-248-252-247-494-492-439-318-175-21"},
    {"published-18", "19-60-113-122-236-243-223-451-419-299-173-60-6"},
    {"published-20", "13-59-109-117-231-238-217-424-388-234-141-48-5"}};

Error unknown_form(const std::string& text) {
    return {"network", text, variant_forms(), "another form"};
}

int64_t whole_number(const std::string& text, const std::string& place) {
    const bool is_number = !text.empty() && text.size() < 10 &&
                           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) throw Error("network", place, "a whole number", "\"" + text + "\"");
    return std::stoll(text);
}

std::vector<int64_t> read_widths(const std::string& text, const std::string& place) {
    std::vector<int64_t> widths;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, '-');) widths.push_back(whole_number(part, place));
    return widths;
}

int64_t rounded_up(int64_t width, int64_t multiple, int64_t most) {
    return std::min((width + multiple - 1) / multiple * multiple, most);
}

/// Groups of the layers that all tasks share and that may shrink, in the order of the forward pass.
std::vector<size_t> shared_groups(const Coupling& coupling, size_t tasks) {
    std::vector<size_t> shared;
    for (size_t g = 0; g < coupling.groups.size(); ++g)
        if (!coupling.groups[g].frozen && coupling.groups[g].outputs.size() == tasks) shared.push_back(g);
    return shared;
}

/// Of each layer the last channels leave: which ones does not matter to time.
std::vector<std::vector<int64_t>> to_widths(const Coupling& coupling, const std::vector<int64_t>& widths,
                                            int64_t multiple, size_t tasks, const std::string& place) {
    const auto shared = shared_groups(coupling, tasks);
    if (widths.size() != shared.size())
        throw Error("network", place, fmt::format("{} widths, one for each shared layer", shared.size()),
                    std::to_string(widths.size()));
    std::vector<std::vector<int64_t>> removed(coupling.groups.size());
    for (size_t i = 0; i < shared.size(); ++i) {
        const int64_t channels = coupling.groups[shared[i]].channels;
        if (widths[i] < 1 || widths[i] > channels)
            throw Error("network", place,
                        fmt::format("1 to {} channels of {}", channels, coupling.groups[shared[i]].name),
                        std::to_string(widths[i]));
        const int64_t kept = rounded_up(widths[i], multiple, channels);
        auto& leaves = removed[shared[i]];
        leaves.resize(static_cast<size_t>(channels - kept));
        std::iota(leaves.begin(), leaves.end(), kept);
    }
    return removed;
}

TracedFunction forward_of(Model& model) {
    return [&model](const std::vector<torch::Tensor>& in) { return model.forward(in.at(0)); };
}

std::vector<Plan> by_criterion(Model& model, const torch::Tensor& image, const std::string& text,
                               int64_t multiple) {
    static const std::map<std::string, BudgetUnit> kUnits = {{"channels", BudgetUnit::channels},
                                                             {"macs", BudgetUnit::macs},
                                                             {"parameters", BudgetUnit::parameters}};
    const size_t at = text.find('@'), equals = text.find('=', at);
    const auto unit = kUnits.find(text.substr(at + 1, equals - at - 1));
    if (equals == std::string::npos || unit == kUnits.end()) throw unknown_form(text);
    double value = 0;
    std::istringstream(text.substr(equals + 1)) >> value;
    if (!(value > 0)) throw Error("network", text, "a budget above 0", text.substr(equals + 1));
    PruneOptions options;
    options.allocation.budget = {unit->second, value};
    options.allocation.round_to = multiple;
    options.verify = false;
    ModuleNetwork network(model, forward_of(model), {image});
    return prune(network, criteria().make(text.substr(0, at)), options).steps;
}

std::vector<Plan> steps_of(std::string text, Model& model, const torch::Tensor& image) {
    if (text == "dense") return {};
    if (text.starts_with("plan="))
        return steps_from_json(parse_json(read_file(text.substr(5)), text.substr(5)), text.substr(5));
    const auto whole = text;
    int64_t multiple = 1;
    if (const size_t colon = text.find(":round_to="); colon != std::string::npos) {
        multiple = std::max<int64_t>(1, whole_number(text.substr(colon + 10), whole));
        text.resize(colon);
    }
    if (const auto published = kPublished.find(text); published != kPublished.end())
        text = "widths=" + published->second;
    if (text.starts_with("widths=")) {
        const auto coupling = couple(model, forward_of(model), {image});
        return {make_plan(coupling.groups, to_widths(coupling, read_widths(text.substr(7), whole), multiple,
                                                     model.tasks().size(), whole))};
    }
    if (text.find('@') == std::string::npos) throw unknown_form(whole);
    return by_criterion(model, image, text, multiple);
}

class TaskSubset : public Model {
  public:
    TaskSubset(ModelPtr model, std::vector<TaskSpec> tasks, std::vector<size_t> numbers)
        : Model(std::move(tasks)),
          model_(register_module("network", std::move(model))),
          numbers_(std::move(numbers)) {}
    FeatureMaps features(const torch::Tensor& image) override { return model_->features(image); }
    torch::Tensor predict(size_t task, const FeatureMaps& features) override {
        return model_->predict(numbers_.at(task), features);
    }
    void initialise(uint64_t seed) override { model_->initialise(seed); }

  private:
    ModelPtr model_;
    std::vector<size_t> numbers_;
};

}  // namespace

std::string variant_forms() {
    return "dense, widths=64-60-..., published-12|18|20, CRITERION@macs|parameters|channels=SHARE, each "
           "perhaps "
           "with :round_to=N behind it, or plan=FILE";
}

NetworkVariant make_variant(const std::string& text, const ModelSpec& spec,
                            const std::vector<TaskSpec>& tasks, const torch::Tensor& image, uint64_t seed) {
    const auto model = make_model(spec, tasks);
    model->initialise(seed);
    model->eval();
    NetworkVariant variant{text, steps_of(text, *model, image), {}};
    const auto built = build_variant(variant, spec, tasks, seed);
    variant.cost = cost_of(couple(*built, forward_of(*built), {image}).graph);
    return variant;
}

ModelPtr build_variant(const NetworkVariant& variant, const ModelSpec& spec,
                       const std::vector<TaskSpec>& tasks, uint64_t seed) {
    auto model = make_model(spec, tasks);
    model->initialise(seed);
    replay(*model, variant.steps);
    model->eval();
    return model;
}

ModelPtr task_subset(const ModelPtr& model, const std::vector<std::string>& tasks) {
    std::vector<TaskSpec> specs;
    std::vector<size_t> numbers;
    for (const auto& name : tasks) {
        const auto found = std::ranges::find(model->tasks(), name, &TaskSpec::name);
        if (found == model->tasks().end())
            throw Error("tasks", name, "a task of the network", "none of this name");
        numbers.push_back(static_cast<size_t>(found - model->tasks().begin()));
        specs.push_back(*found);
    }
    return std::make_shared<TaskSubset>(model, specs, numbers);
}

}  // namespace mtlprune
