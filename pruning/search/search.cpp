#include "pruning/search/search.h"

// One line per search; `name` is defined in a file of its own as `Registry<Search>::Entry name_search()`.
#define MTLPRUNE_SEARCHES(ENTRY) ENTRY(pagcp)

namespace mtlprune {

#define MTLPRUNE_DECLARE(name) Registry<Search>::Entry name##_search();
MTLPRUNE_SEARCHES(MTLPRUNE_DECLARE)
#undef MTLPRUNE_DECLARE

Registry<Search>& searches() {
    static Registry<Search> all = [] {
        Registry<Search> registry("search");
#define MTLPRUNE_ADD(name) registry.add(name##_search());
        MTLPRUNE_SEARCHES(MTLPRUNE_ADD)
#undef MTLPRUNE_ADD
        return registry;
    }();
    return all;
}

}  // namespace mtlprune
