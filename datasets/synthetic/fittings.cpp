// The pieces of furniture.h that hang on walls or are small.
#include <algorithm>

#include "datasets/synthetic/furniture.h"

namespace mtlprune::rooms {
namespace {

Shape part(Form form, Label label, cv::Vec3f low, cv::Vec3f size, const Material& material) {
    return {form, label, low + size * 0.5f, size * 0.5f, 0.0f, material};
}

/// A frame of four bars around w x h, `bar` wide and as deep as the piece.
void add_frame(Piece& piece, Label label, float bar, const Material& material) {
    const float w = piece.width, h = piece.height, d = piece.depth;
    for (const float x : {-w / 2, w / 2 - bar})
        piece.parts.push_back(part(Form::box, label, {x, 0, -d / 2}, {bar, h, d}, material));
    for (const float y : {0.0f, h - bar})
        piece.parts.push_back(part(Form::box, label, {-w / 2, y, -d / 2}, {w, bar, d}, material));
}

void add_pane(Piece& piece, Label label, float thickness, const Material& material) {
    piece.parts.push_back(part(Form::box, label, {-piece.width / 2, 0, -piece.depth / 2},
                               {piece.width, piece.height, thickness}, material));
}

Piece pile_of_books(Random& random, float width) {
    Piece piece{{}, width, 0.0f, width * 0.75f, {}};
    const int count = 2 + static_cast<int>(random.below(4));
    for (int i = 0; i < count; ++i) {
        const float thickness = pick(random, 0.025, 0.06), shrink = pick(random, 0.75, 1.0);
        const cv::Vec3f size(width * shrink, thickness, width * 0.75f * shrink);
        Shape book = part(Form::box, Label::books, {-size[0] / 2, piece.height, -size[2] / 2}, size,
                          random_material(random));
        book.yaw = pick(random, -0.2, 0.2);
        piece.parts.push_back(book);
        piece.height += thickness;
    }
    return piece;
}

Piece lamp(Random& random, float width, float height) {
    const Material stand = random_material(random), shade = random_material(random);
    const float foot = width * 0.6f, hood = std::min(height * 0.45f, width * 0.9f);
    Piece piece{{}, width, height, width, {}};
    piece.parts = {
        part(Form::cylinder, Label::objects, {-foot / 2, 0, -foot / 2}, {foot, 0.03f, foot}, stand),
        part(Form::cylinder, Label::objects, {-0.015f, 0, -0.015f}, {0.03f, height - hood, 0.03f}, stand),
        part(Form::cylinder, Label::objects, {-width / 2, height - hood, -width / 2}, {width, hood, width},
             shade)};
    return piece;
}

Piece single(Random& random, Form form, float w, float h, float d) {
    return {
        {part(form, Label::objects, {-w / 2, 0, -d / 2}, {w, h, d}, random_material(random, 0.03f, 0.2f))},
        w,
        h,
        d,
        {}};
}

}  // namespace

Piece make_tv(Random& random, bool on_wall) {
    const float w = pick(random, 0.7, 1.3), h = w * 0.6f, d = on_wall ? 0.07f : 0.22f,
                stand = on_wall ? 0.0f : 0.07f;
    const Material body = random_material(random), screen = random_material(random);
    Piece piece{{}, w, h + stand, d, {}};
    const float back = on_wall ? -d / 2 : -0.035f;
    piece.parts.push_back(part(Form::box, Label::tv, {-w / 2, stand, back}, {w, h, 0.055f}, body));
    piece.parts.push_back(part(Form::box, Label::tv, {-w / 2 + 0.03f, stand + 0.04f, back + 0.055f},
                               {w - 0.06f, h - 0.07f, 0.01f}, screen));
    if (!on_wall) {
        piece.parts.push_back(part(Form::box, Label::tv, {-w / 5, 0, -d / 2}, {w * 0.4f, 0.02f, d}, body));
        piece.parts.push_back(part(Form::box, Label::tv, {-0.05f, 0, -0.02f}, {0.1f, stand, 0.04f}, body));
    }
    return piece;
}

Piece make_window(Random& random) {
    Piece piece{{}, pick(random, 0.8, 1.9), pick(random, 0.9, 1.35), 0.08f, {}};
    const Material frame = random_material(random);
    add_pane(piece, Label::window, 0.01f, random_material(random, 0.3f, 1.5f));
    add_frame(piece, Label::window, 0.06f, frame);
    const float w = piece.width, h = piece.height;
    piece.parts.push_back(part(Form::box, Label::window, {-0.025f, 0, -0.04f}, {0.05f, h, 0.06f}, frame));
    if (random.below(2) == 0)
        piece.parts.push_back(
            part(Form::box, Label::window, {-w / 2, h * 0.6f, -0.04f}, {w, 0.04f, 0.06f}, frame));
    piece.parts.push_back(
        part(Form::box, Label::window, {-w / 2 - 0.05f, -0.04f, -0.04f}, {w + 0.1f, 0.04f, 0.18f}, frame));
    return piece;
}

Piece make_picture(Random& random) {
    Piece piece{{}, pick(random, 0.3, 1.0), pick(random, 0.3, 0.8), 0.03f, {}};
    add_pane(piece, Label::picture, 0.015f, random_material(random, 0.05f, 0.5f));
    add_frame(piece, Label::picture, 0.035f, random_material(random));
    return piece;
}

Piece make_door(Random& random) {
    Piece piece{{}, pick(random, 0.85, 1.0), pick(random, 2.0, 2.12), 0.06f, {}};
    add_pane(piece, Label::wall, 0.035f, random_material(random));
    const Material frame = random_material(random);
    add_frame(piece, Label::wall, 0.07f, frame);
    piece.parts.push_back(part(Form::ellipsoid, Label::wall, {piece.width / 2 - 0.18f, 1.0f, 0.0f},
                               {0.06f, 0.06f, 0.08f}, frame));
    return piece;
}

Piece make_rug(Random& random) {
    const float w = pick(random, 1.2, 2.4), d = pick(random, 0.9, 1.7);
    Piece piece{{}, w, 0.012f, d, {}};
    piece.parts.push_back(
        part(Form::box, Label::floor, {-w / 2, 0, -d / 2}, {w, 0.012f, d}, random_material(random)));
    return piece;
}

Piece make_small_thing(Random& random, float room) {
    const float size = std::min(room, pick(random, 0.16, 0.4));
    switch (random.below(5)) {
        case 0:
            return single(random, Form::box, size, size * pick(random, 0.3, 1.0),
                          size * pick(random, 0.5, 1.0));
        case 1:
            return single(random, Form::cylinder, size * 0.6f, size * pick(random, 0.6, 1.4), size * 0.6f);
        case 2:
            return single(random, Form::ellipsoid, size * 0.7f, size * pick(random, 0.6, 1.0), size * 0.7f);
        case 3:
            return lamp(random, size, pick(random, 0.35, 0.6));
        default:
            return pile_of_books(random, size);
    }
}

Piece make_floor_thing(Random& random) {
    const float size = pick(random, 0.25, 0.45);
    switch (random.below(5)) {
        case 0:
            return lamp(random, size, pick(random, 1.3, 1.7));
        case 1:
            return single(random, Form::cylinder, size, size * 1.2f, size);
        case 2:
            return single(random, Form::ellipsoid, size, size, size);
        case 3:
            return pile_of_books(random, size);
        default:
            return single(random, Form::box, size * 1.2f, size * pick(random, 0.6, 1.1), size);
    }
}

Piece make_ceiling_lamp(Random& random) {
    const float size = pick(random, 0.3, 0.5), h = pick(random, 0.25, 0.4);
    Piece piece{{}, size, h, size, {}};
    const Material material = random_material(random);
    piece.parts = {
        part(Form::ellipsoid, Label::objects, {-size / 2, 0, -size / 2}, {size, h * 0.6f, size}, material),
        part(Form::cylinder, Label::objects, {-0.01f, h * 0.5f, -0.01f}, {0.02f, h * 0.5f, 0.02f}, material)};
    return piece;
}

}  // namespace mtlprune::rooms
