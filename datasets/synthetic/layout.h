// Draws a furnished room.
#pragma once

#include "base/random.h"
#include "datasets/synthetic/scene.h"

namespace mtlprune::rooms {

/// A random room with furniture along the walls, things on the walls, on tables and on the floor, a lamp and
/// a camera near one wall that looks across. No piece overlaps another, and none is nearer to the camera than
/// 0.9 m.
Scene make_room(Random random);

}  // namespace mtlprune::rooms
