// Groups for people: as a table and as a Graphviz picture.
#pragma once

#include <string>

#include "pruning/coupling/groups.h"

namespace mtlprune {

/// One line per group: name, channels, indices per channel, outputs it reaches, what it consists of, whether
/// it is frozen.
std::string group_table(const Coupling& coupling, bool with_members);

/// Graphviz: a box per group with its members, an arrow from each group to those whose producers read it.
std::string group_graph(const Coupling& coupling);

/// One line per dimension of a stored tensor that cannot lose all of its indices freely, with the reason.
std::string frozen_table(const Coupling& coupling);

}  // namespace mtlprune
