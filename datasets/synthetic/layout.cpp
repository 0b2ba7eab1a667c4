#include "datasets/synthetic/layout.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <optional>

#include "datasets/synthetic/furniture.h"

namespace mtlprune::rooms {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

struct Place {
    cv::Vec3f position;  ///< of the piece's origin
    float yaw;
};

Bounds united(const Bounds& a, const Bounds& b) {
    Bounds all;
    for (int i = 0; i < 3; ++i) {
        all.low[i] = std::min(a.low[i], b.low[i]);
        all.high[i] = std::max(a.high[i], b.high[i]);
    }
    return all;
}

bool overlap(const Bounds& a, const Bounds& b) {
    constexpr float kGap = 0.02f;
    for (int i = 0; i < 3; ++i)
        if (a.low[i] > b.high[i] + kGap || b.low[i] > a.high[i] + kGap) return false;
    return true;
}

float distance(const cv::Vec3f& point, const Bounds& box) {
    cv::Vec3f gap;
    for (int i = 0; i < 3; ++i) gap[i] = std::max({box.low[i] - point[i], point[i] - box.high[i], 0.0f});
    return static_cast<float>(cv::norm(gap));
}

std::vector<Shape> placed_parts(const Piece& piece, const Place& place) {
    std::vector<Shape> parts = piece.parts;
    for (Shape& part : parts) {
        part.centre = place.position + turned(part.centre, place.yaw);
        part.yaw += place.yaw;
    }
    return parts;
}

class Furnisher {
  public:
    explicit Furnisher(Random random) : random_(random) {
        scene_.size = {pick(3.2, 6.2), pick(2.4, 3.0), pick(3.6, 7.2)};
        for (Material& surface : scene_.surfaces) surface = random_material(random_, 0.08f, 0.9f);
        const Material walls = scene_.surfaces[0];
        for (const int wall : {1, 4, 5})
            if (random_.uniform() < 0.8) scene_.surfaces[wall] = walls;
        place_camera();
        place_lights();
    }

    Scene furnish() {
        along_walls();
        in_the_middle();
        on_walls();
        if (random_.uniform() < 0.6) {
            const Piece lamp = make_ceiling_lamp(random_);
            place(lamp, {{scene_.lamp[0], scene_.size[1] - lamp.height, scene_.lamp[2]}, 0.0f}, 0.9f);
        }
        return std::move(scene_);
    }

  private:
    using Maker = std::function<Piece(Random&)>;

    float pick(double low, double high) { return static_cast<float>(random_.uniform(low, high)); }
    int count(int low, int high) { return low + static_cast<int>(random_.below(high - low + 1)); }

    void place_camera() {
        const cv::Vec3f& size = scene_.size;
        const cv::Vec3f position(size[0] * pick(0.28, 0.72), pick(0.95, 1.85), pick(0.2, 0.6));
        const cv::Vec3f target(size[0] * pick(0.1, 0.9), pick(0.35, 1.35), size[2] * pick(0.6, 1.0));
        scene_.camera = look_at(position, target, pick(-0.05, 0.05));
    }

    void place_lights() {
        const cv::Vec3f& size = scene_.size;
        scene_.lamp = {size[0] * pick(0.25, 0.75), size[1] - pick(0.45, 0.6), size[2] * pick(0.2, 0.7)};
        const float warmth = pick(0.82, 1.12);
        scene_.lamp_colour = cv::Vec3f(warmth, 1.0f, 2.0f - warmth) * pick(0.7, 1.3);
        scene_.fill = cv::normalize(cv::Vec3f(pick(-1, 1), pick(0.2, 1.0), pick(-1, 0.3)));
    }

    /// Adds the piece unless it would overlap, leave the room or come nearer than `clearance` to the camera.
    bool place(const Piece& piece, const Place& place, float clearance) {
        std::vector<Shape> parts = placed_parts(piece, place);
        Bounds bounds = bounds_of(parts.front());
        for (const Shape& part : parts) bounds = united(bounds, bounds_of(part));
        for (int i = 0; i < 3; ++i)
            if (bounds.low[i] < -0.001f || bounds.high[i] > scene_.size[i] + 0.001f) return false;
        if (distance(scene_.camera.position, bounds) < clearance) return false;
        for (const Bounds& other : occupied_)
            if (overlap(bounds, other)) return false;
        occupied_.push_back(bounds);
        scene_.shapes.insert(scene_.shapes.end(), parts.begin(), parts.end());
        return true;
    }

    /// A place with the piece's back to wall 0 (x = 0), 1 (x = max) or 2 (z = max) at height `y`.
    Place against(int wall, const Piece& piece, float y) {
        const float gap = piece.depth / 2 + 0.002f;
        const float length = wall == 2 ? scene_.size[0] : scene_.size[2];
        const float along =
            pick(piece.width / 2 + 0.06, std::max(piece.width / 2 + 0.07f, length - piece.width / 2 - 0.06f));
        if (wall == 0) return {{gap, y, along}, kPi / 2};
        if (wall == 1) return {{scene_.size[0] - gap, y, along}, -kPi / 2};
        return {{along, y, scene_.size[2] - gap}, kPi};
    }

    std::optional<Place> try_against_wall(const Piece& piece, double lowest, double highest,
                                          float clearance) {
        for (int attempt = 0; attempt < 10; ++attempt) {
            const int wall =
                static_cast<int>(std::min<uint64_t>(random_.below(4), 2));  // the far wall twice as often
            const Place spot = against(wall, piece, pick(lowest, highest));
            if (place(piece, spot, clearance)) return spot;
        }
        return std::nullopt;
    }

    void along_walls() {
        const std::array<Maker, 9> makers = {
            make_bed,
            make_sofa,
            [](Random& r) { return make_table(r, false); },
            [](Random& r) { return make_cabinet(r, false); },
            [](Random& r) { return make_cabinet(r, true); },
            make_bookcase,
            make_bookcase,
            make_door,
            make_chair,
        };
        for (int i = count(6, 9); i > 0; --i) {
            const Piece piece = makers[random_.below(makers.size())](random_);
            const std::optional<Place> spot = try_against_wall(piece, 0.0, 0.0, 1.1f);
            if (spot) load(piece, *spot, true);
        }
    }

    void on_walls() {
        for (int i = count(1, 2); i > 0; --i) try_against_wall(make_window(random_), 0.8, 1.05, 1.0f);
        if (random_.uniform() < 0.35) try_against_wall(make_tv(random_, true), 0.9, 1.3, 1.0f);
        for (int i = count(1, 5); i > 0; --i) try_against_wall(make_picture(random_), 1.1, 1.7, 0.9f);
    }

    void in_the_middle() {
        const cv::Vec3f& size = scene_.size;
        for (int i = count(1, 2); i > 0; --i) {
            const Piece table = make_table(random_, random_.uniform() < 0.5);
            for (int attempt = 0; attempt < 6; ++attempt) {
                const Place spot{{size[0] * pick(0.25, 0.75), 0, size[2] * pick(0.4, 0.8)}, pick(-0.5, 0.5)};
                if (!place(table, spot, 1.4f)) continue;
                load(table, spot, false);
                if (table.height > 0.6f) seat(table, spot);
                break;
            }
        }
        for (int i = count(1, 4); i > 0; --i) anywhere(make_floor_thing(random_), 1.0f);
        for (int i = count(0, 2); i > 0; --i) anywhere(make_chair(random_), 1.2f);
        if (random_.uniform() < 0.5) lay_rug();
    }

    void anywhere(const Piece& piece, float clearance) {
        for (int attempt = 0; attempt < 6; ++attempt) {
            const Place spot{{pick(0.2, scene_.size[0] - 0.2), 0, pick(0.8, scene_.size[2] - 0.2)},
                             pick(-kPi, kPi)};
            if (place(piece, spot, clearance)) return;
        }
    }

    /// A rug lies under other things, so it is not checked against them.
    void lay_rug() {
        const Piece rug = make_rug(random_);
        const Place spot{{scene_.size[0] * pick(0.35, 0.65), 0, scene_.size[2] * pick(0.45, 0.65)},
                         pick(-0.3, 0.3)};
        for (const Shape& part : placed_parts(rug, spot)) scene_.shapes.push_back(part);
    }

    void seat(const Piece& table, const Place& at) {
        const Piece chair = make_chair(random_);
        for (const float side : {-1.0f, 1.0f}) {
            for (const bool at_end : {false, true}) {
                if (random_.uniform() < 0.35) continue;
                const float reach =
                    side * ((at_end ? table.width : table.depth) / 2 + chair.depth / 2 + 0.12f);
                const cv::Vec3f offset = at_end ? cv::Vec3f(reach, 0, 0) : cv::Vec3f(0, 0, reach);
                const float facing = at_end ? -side * kPi / 2 : (side > 0 ? kPi : 0.0f);
                place(chair, {at.position + turned(offset, at.yaw), at.yaw + facing}, 1.2f);
            }
        }
    }

    /// Puts small things, or a television, on the piece's surface.
    void load(const Piece& piece, const Place& at, bool by_wall) {
        const Surface& surface = piece.surface;
        if (surface.half_width <= 0.0f) return;
        if (by_wall && surface.half_width > 0.3f && random_.uniform() < 0.45) {
            const Piece tv = make_tv(random_, false);
            if (place_on(tv, surface, at, 0.0f, 0.0f)) return;
        }
        for (int i = count(1, 4); i > 0; --i) {
            const Piece thing = make_small_thing(random_, 1.6f * surface.half_depth);
            const float reach_x = std::max(0.0f, surface.half_width - thing.width / 2);
            const float reach_z = std::max(0.0f, surface.half_depth - thing.depth / 2);
            place_on(thing, surface, at, pick(-1, 1) * reach_x, pick(-1, 1) * reach_z);
        }
    }

    bool place_on(const Piece& thing, const Surface& surface, const Place& at, float x, float z) {
        constexpr float kLift =
            0.021f;  // more than the gap of overlap(), so that it does not count as touching
        const cv::Vec3f local = surface.centre + cv::Vec3f(x, kLift, z);
        Piece lowered = thing;
        if (!place(lowered, {at.position + turned(local, at.yaw), at.yaw}, 0.9f)) return false;
        for (size_t i = scene_.shapes.size() - thing.parts.size(); i < scene_.shapes.size(); ++i)
            scene_.shapes[i].centre[1] -= kLift;
        return true;
    }

    Random random_;
    Scene scene_;
    std::vector<Bounds> occupied_;
};

}  // namespace

Scene make_room(Random random) {
    return Furnisher(random).furnish();
}

}  // namespace mtlprune::rooms
