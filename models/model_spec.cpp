#include "models/model_spec.h"

#include "base/error.h"

namespace mtlprune {
namespace {

/// With all options, defaults included.
template <typename Kinds>
Choice completed(const Kinds& kinds, const std::string& subject, const std::string& text) {
    auto choice = parse_choice(subject, text);
    choice.options = complete_options(subject, kinds.at(choice.key), choice.options, /*as_released=*/false);
    return choice;
}

}  // namespace

std::string ModelSpec::text() const {
    return choice_text(backbone) + "/" + choice_text(head);
}

ModelSpec parse_model_spec(const std::string& text, const std::string& place) {
    const size_t slash = text.find('/');
    if (slash == std::string::npos)
        throw Error("model", place,
                    "BACKBONE/HEAD, e.g. vgg16:width=0.25/smallaspp:hidden=256 (see mtlprune list)",
                    "'" + text + "'");
    try {
        return {completed(backbones(), "backbone", text.substr(0, slash)),
                completed(heads(), "head", text.substr(slash + 1))};
    } catch (const Error& error) {
        throw Error("model", place, error.problem());
    }
}

std::shared_ptr<MultiTaskModel> make_model(const ModelSpec& spec, const std::vector<TaskSpec>& tasks) {
    const std::shared_ptr<Backbone> backbone = backbones().make(spec.backbone);
    return std::make_shared<MultiTaskModel>(backbone, tasks, [&](const TaskSpec& task) {
        return std::shared_ptr<Head>(heads().make(spec.head, backbone->maps(), task));
    });
}

std::shared_ptr<MultiTaskModel> make_model(const std::string& spec, const std::vector<TaskSpec>& tasks) {
    return make_model(parse_model_spec(spec, spec), tasks);
}

}  // namespace mtlprune
