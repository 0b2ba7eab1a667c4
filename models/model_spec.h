// Networks as text: "vgg16:width=0.25/smallaspp:hidden=256" is a backbone and the head that each task gets.
#pragma once

#include <string>
#include <vector>

#include "models/model.h"
#include "models/multi_task_model.h"

namespace mtlprune {

struct ModelSpec {
    Choice backbone, head;  ///< with all options, defaults included
    std::string text() const;
};

/// Throws Error naming `place` on another form, unknown names (with the nearest) and unfit options.
ModelSpec parse_model_spec(const std::string& text, const std::string& place);

/// Not yet initialised. Throws Error when the parts cannot be built so.
std::shared_ptr<MultiTaskModel> make_model(const ModelSpec& spec, const std::vector<TaskSpec>& tasks);
std::shared_ptr<MultiTaskModel> make_model(const std::string& spec, const std::vector<TaskSpec>& tasks);

}  // namespace mtlprune
