// What people call the choices of allocation and edit, on command lines and in strategies.
#pragma once

#include "base/enum_names.h"
#include "pruning/allocation/allocation.h"
#include "pruning/surgery/plan.h"

namespace mtlprune {

inline const EnumNames<RankingScope>& ranking_scopes() {
    static const EnumNames<RankingScope> names = {{RankingScope::local, "local"},
                                                  {RankingScope::isomorphic, "isomorphic"},
                                                  {RankingScope::owner, "owner"},
                                                  {RankingScope::global, "global"}};
    return names;
}

inline const EnumNames<Pace>& paces() {
    static const EnumNames<Pace> names = {{Pace::each, "each"},
                                          {Pace::linear, "linear"},
                                          {Pace::cubic, "cubic"},
                                          {Pace::exponential, "exponential"}};
    return names;
}

inline const EnumNames<EditKind>& edit_kinds() {
    static const EnumNames<EditKind> names = {{EditKind::remove, "remove"}, {EditKind::mask, "mask"}};
    return names;
}

}  // namespace mtlprune
