// Random pieces of furniture, built from boxes, ellipsoids and cylinders.
#pragma once

#include <vector>

#include "base/random.h"
#include "datasets/synthetic/scene.h"

namespace mtlprune::rooms {

inline float pick(Random& random, double low, double high) {
    return static_cast<float>(random.uniform(low, high));
}

/// A horizontal area on which smaller things can stand; local coordinates of the piece.
struct Surface {
    cv::Vec3f centre;
    float half_width = 0.0f, half_depth = 0.0f;  ///< 0: nothing can stand here
};

/// One piece in its own frame: x to the side, y up from the piece's lowest point, z out of its front; x and z
/// are 0 in the middle of the footprint.
struct Piece {
    std::vector<Shape> parts;
    float width = 0.0f, height = 0.0f, depth = 0.0f;
    Surface surface;
};

Piece make_bed(Random& random);
Piece make_sofa(Random& random);  ///< one to three seats
Piece make_chair(Random& random);
Piece make_table(Random& random, bool low);
Piece make_cabinet(Random& random, bool tall);
Piece make_bookcase(Random& random);
Piece make_tv(Random& random, bool on_wall);
Piece make_window(Random& random);
Piece make_picture(Random& random);
Piece make_door(Random& random);  ///< labelled wall, as in NYU-13
Piece make_rug(Random& random);   ///< labelled floor, as in NYU-13

/// Something to stand on a surface: a vase, lamp, ball, box or pile of books, at most `room` metres wide.
Piece make_small_thing(Random& random, float room);
/// Something to stand on the floor: a ball, bin, box or floor lamp.
Piece make_floor_thing(Random& random);
Piece make_ceiling_lamp(Random& random);

}  // namespace mtlprune::rooms
