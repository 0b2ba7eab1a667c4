#include "datasets/synthetic/furniture.h"

#include <algorithm>

namespace mtlprune::rooms {
namespace {

/// Collects parts by their lowest, leftmost, rearmost corner and size, which is how furniture is easiest to
/// describe.
class Assembly {
  public:
    Assembly(Random& random, Label label)
        : random_(random), label_(label), material_(random_material(random)) {}

    Assembly& label(Label label) { return label_ = label, *this; }
    Assembly& fresh_material() { return material_ = random_material(random_), *this; }

    Assembly& solid(Form form, cv::Vec3f low, cv::Vec3f size) {
        parts_.push_back({form, label_, low + size * 0.5f, size * 0.5f, 0.0f, material_});
        return *this;
    }
    Assembly& box(cv::Vec3f low, cv::Vec3f size) { return solid(Form::box, low, size); }

    /// Four legs of side `side` under a top of width x depth at `height`.
    Assembly& legs(Form form, float width, float depth, float height, float side) {
        for (const float x : {-width / 2, width / 2 - side})
            for (const float z : {-depth / 2, depth / 2 - side})
                solid(form, {x, 0.0f, z}, {side, height, side});
        return *this;
    }

    Piece piece(float width, float height, float depth, Surface surface = {}) {
        return {std::move(parts_), width, height, depth, surface};
    }

  private:
    Random& random_;
    Label label_;
    Material material_;
    std::vector<Shape> parts_;
};

bool chance(Random& random, double probability) {
    return random.uniform() < probability;
}

/// Books standing side by side on a shelf of the given inner size whose corner is `low`.
void shelve_books(Random& random, Assembly& assembly, cv::Vec3f low, cv::Vec3f size) {
    const float filled = size[0] * pick(random, 0.4, 1.0);
    assembly.label(Label::books);
    for (float x = 0.0f; x < filled - 0.04f;) {
        const float thickness = std::min(pick(random, 0.05, 0.16), filled - x);
        const float height = size[1] * pick(random, 0.6, 0.92), depth = size[2] * pick(random, 0.6, 0.85);
        assembly.fresh_material().box({low[0] + x, low[1], low[2]}, {thickness * 0.96f, height, depth});
        x += thickness;
    }
}

}  // namespace

Piece make_bed(Random& random) {
    const float w = pick(random, 0.9, 1.9), d = pick(random, 1.9, 2.15), base = pick(random, 0.2, 0.35);
    const float mattress = pick(random, 0.15, 0.28), top = base + mattress, head = pick(random, 0.75, 1.2);
    Assembly bed(random, Label::bed);
    bed.box({-w / 2, 0, -d / 2}, {w, base, d}).box({-w / 2, 0, -d / 2}, {w, head, 0.06f});
    bed.fresh_material().box({-w / 2 + 0.03f, base, -d / 2 + 0.06f}, {w - 0.06f, mattress, d - 0.08f});
    bed.fresh_material().box({-w / 2 - 0.01f, base - 0.05f, -d * 0.12f},
                             {w + 0.02f, mattress + 0.09f, d * 0.62f + 0.01f});
    bed.label(Label::objects).fresh_material();
    const int pillows = w > 1.3f ? 2 : 1;
    for (int i = 0; i < pillows; ++i) {
        const float cell = w / static_cast<float>(pillows), x = -w / 2 + cell * static_cast<float>(i);
        bed.solid(Form::ellipsoid, {x + 0.08f, top - 0.04f, -d / 2 + 0.1f}, {cell - 0.16f, 0.2f, 0.42f});
    }
    return bed.piece(w, head, d);
}

Piece make_sofa(Random& random) {
    const int seats = 1 + static_cast<int>(random.below(3));
    const float arm = pick(random, 0.12, 0.22), seat = pick(random, 0.55, 0.7), d = pick(random, 0.8, 0.95);
    const float w = seat * static_cast<float>(seats) + 2 * arm, h = pick(random, 0.7, 0.95),
                sit = pick(random, 0.36, 0.46);
    Assembly sofa(random, Label::sofa);
    sofa.box({-w / 2, 0.06f, -d / 2}, {w, sit - 0.18f, d})
        .box({-w / 2, 0.06f, -d / 2}, {w, h - 0.06f, 0.22f});
    for (const float x : {-w / 2, w / 2 - arm}) sofa.box({x, 0.06f, -d / 2}, {arm, sit + 0.12f, d});
    if (chance(random, 0.6)) sofa.fresh_material();
    for (int i = 0; i < seats; ++i) {
        const float x = -w / 2 + arm + seat * static_cast<float>(i);
        sofa.box({x + 0.01f, sit - 0.12f, -d / 2 + 0.2f}, {seat - 0.02f, 0.14f, d - 0.2f});
        sofa.box({x + 0.02f, sit + 0.02f, -d / 2 + 0.2f}, {seat - 0.04f, h - sit - 0.02f, 0.14f});
    }
    if (chance(random, 0.6)) {
        sofa.label(Label::objects).fresh_material();
        sofa.solid(Form::ellipsoid, {-w / 2 + arm, sit, -d / 2 + 0.3f}, {0.4f, 0.38f, 0.18f});
    }
    return sofa.piece(w, h, d);
}

Piece make_chair(Random& random) {
    const float w = pick(random, 0.4, 0.52), d = pick(random, 0.4, 0.52), sit = pick(random, 0.42, 0.5);
    const float h = pick(random, 0.8, 1.05), leg = pick(random, 0.035, 0.05);
    Assembly chair(random, Label::chair);
    chair.legs(chance(random, 0.5) ? Form::box : Form::cylinder, w, d, sit, leg);
    for (const float x : {-w / 2, w / 2 - leg}) chair.box({x, sit, -d / 2}, {leg, h - sit, leg});
    if (chance(random, 0.5)) chair.fresh_material();
    chair.box({-w / 2, sit - 0.03f, -d / 2}, {w, 0.06f, d});
    const float rest = chance(random, 0.5) ? sit + 0.06f : h - 0.24f;
    chair.box({-w / 2, rest, -d / 2 - 0.005f}, {w, h - rest, leg + 0.01f});
    return chair.piece(w, h, d);
}

Piece make_table(Random& random, bool low) {
    const float w = low ? pick(random, 0.7, 1.2) : pick(random, 0.9, 1.7);
    const float d = low ? pick(random, 0.45, 0.7) : pick(random, 0.6, 0.95);
    const float h = low ? pick(random, 0.35, 0.48) : pick(random, 0.7, 0.78),
                plate = pick(random, 0.03, 0.06);
    Assembly table(random, Label::table);
    const Surface surface{{0, h, 0}, w / 2 - 0.03f, d / 2 - 0.03f};
    if (!low && chance(random, 0.25)) {  // round, on one column
        const float r = pick(random, 0.45, 0.6);
        table.solid(Form::cylinder, {-r, h - plate, -r}, {2 * r, plate, 2 * r});
        table.solid(Form::cylinder, {-0.05f, 0, -0.05f}, {0.1f, h - plate, 0.1f});
        table.solid(Form::cylinder, {-0.25f, 0, -0.25f}, {0.5f, 0.03f, 0.5f});
        return table.piece(2 * r, h, 2 * r, {{0, h, 0}, 0.6f * r, 0.6f * r});
    }
    table.box({-w / 2, h - plate, -d / 2}, {w, plate, d});
    if (chance(random, 0.4)) table.fresh_material();
    table.legs(Form::box, w - 0.06f, d - 0.06f, h - plate, pick(random, 0.04, 0.08));
    return table.piece(w, h, d, surface);
}

Piece make_cabinet(Random& random, bool tall) {
    const float w = tall ? pick(random, 0.6, 1.6) : pick(random, 0.45, 1.5);
    const float d = pick(random, 0.38, 0.6), h = tall ? pick(random, 1.6, 2.15) : pick(random, 0.45, 0.95);
    Assembly cabinet(random, Label::furniture);
    cabinet.box({-w / 2, 0, -d / 2}, {w, h, d - 0.02f});
    if (chance(random, 0.5)) cabinet.fresh_material();
    const int columns = w > 0.8f ? 2 : 1, rows = tall ? 1 + static_cast<int>(random.below(2)) : 2;
    const float cell_w = w / static_cast<float>(columns), cell_h = (h - 0.08f) / static_cast<float>(rows);
    for (int i = 0; i < columns * rows; ++i) {
        const float x = -w / 2 + cell_w * static_cast<float>(i % columns);
        const float y = 0.06f + cell_h * static_cast<float>(i / columns);
        cabinet.box({x + 0.012f, y + 0.012f, d / 2 - 0.02f}, {cell_w - 0.024f, cell_h - 0.024f, 0.02f});
        cabinet.box({x + cell_w / 2 - 0.06f, y + cell_h * 0.7f, d / 2}, {0.12f, 0.02f, 0.025f});
    }
    return cabinet.piece(w, h, d, {{0, h, 0}, tall ? 0 : w / 2 - 0.03f, tall ? 0 : d / 2 - 0.03f});
}

Piece make_bookcase(Random& random) {
    const float w = pick(random, 0.6, 1.2), d = pick(random, 0.25, 0.35), h = pick(random, 0.9, 2.1),
                board = 0.03f;
    const int shelves = std::max(2, static_cast<int>(h / pick(random, 0.34, 0.45)));
    const float step = (h - board) / static_cast<float>(shelves);
    Assembly bookcase(random, Label::furniture);
    for (const float x : {-w / 2, w / 2 - board}) bookcase.box({x, 0, -d / 2}, {board, h, d});
    bookcase.box({-w / 2, 0, -d / 2}, {w, h, 0.02f});
    for (int i = 0; i <= shelves; ++i)
        bookcase.box({-w / 2, step * static_cast<float>(i), -d / 2}, {w, board, d});
    for (int i = 0; i < shelves; ++i) {
        if (chance(random, 0.15)) continue;
        shelve_books(random, bookcase, {-w / 2 + board, step * static_cast<float>(i) + board, -d / 2 + 0.02f},
                     {w - 2 * board, step - board, d - 0.03f});
    }
    return bookcase.piece(w, h, d);
}

}  // namespace mtlprune::rooms
