#include "models/heads/head.h"

// One line per head; `name` is defined in a file of its own as `HeadRegistry::Entry name_head()`.
#define MTLPRUNE_HEADS(ENTRY) \
    ENTRY(smallaspp)          \
    ENTRY(aspp)               \
    ENTRY(linear)             \
    ENTRY(mtan)               \
    ENTRY(unet)               \
    ENTRY(dpt)

namespace mtlprune {

#define MTLPRUNE_DECLARE(name) HeadRegistry::Entry name##_head();
MTLPRUNE_HEADS(MTLPRUNE_DECLARE)
#undef MTLPRUNE_DECLARE

HeadRegistry& heads() {
    static HeadRegistry all = [] {
        HeadRegistry registry("head");
#define MTLPRUNE_ADD(name) registry.add(name##_head());
        MTLPRUNE_HEADS(MTLPRUNE_ADD)
#undef MTLPRUNE_ADD
        return registry;
    }();
    return all;
}

}  // namespace mtlprune
