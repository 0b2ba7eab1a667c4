#include "pruning/graph/script_tensors.h"

namespace mtlprune {
namespace {

/// Parameters or buffers of an object and of the objects in it. `name` is that of the object and a dot.
void visit_slots(const c10::ivalue::Object& object, std::string& name, bool buffers,
                 const TensorVisitor& visit) {
    const auto type = object.type();
    const size_t length = name.size();
    for (size_t i = 0; i < type->numAttributes(); ++i) {
        const auto& slot = object.getSlot(i);
        const bool is_module = type->getAttribute(i)->is_module();
        const bool is_buffer =
            !type->is_parameter(i) && type->getAttribute(i)->isSubtypeOf(*c10::TensorType::get());
        if (!is_module && !(slot.isTensor() && (buffers ? is_buffer : type->is_parameter(i)))) continue;
        name += type->getAttributeName(i);
        if (is_module)
            visit_slots(slot.toObjectRef(), name += '.', buffers, visit);
        else
            visit(name, slot.toTensor(), buffers);
        name.resize(length);
    }
}

}  // namespace

void visit_tensors(const torch::jit::Module& module, const TensorVisitor& visit) {
    std::string name;
    for (const bool buffers : {false, true}) visit_slots(*module._ivalue(), name, buffers, visit);
}

}  // namespace mtlprune
