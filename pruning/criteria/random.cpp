// Random scores: the baseline that every method must beat.
#include "base/random.h"

#include "pruning/criteria/criterion.h"

namespace mtlprune {
namespace {

/// Uniform numbers that belong to a channel of the network as coupled, whoever has left since.
class RandomScores : public Criterion {
  public:
    explicit RandomScores(uint64_t seed) : seed_(seed) {}
    Needs needs() const override { return {}; }

    Scores scores(const Evidence& now) const override {
        Scores result;
        result.scores.assign(now.groups().size(), torch::empty({0}, torch::kFloat64));
        for (size_t i = 0; i < now.asked().size(); ++i) {
            const size_t g = now.asked()[i];
            const auto originals = now.originals.empty()
                                       ? torch::arange(now.groups()[g].channels, torch::kLong)
                                       : now.originals[i];
            if (originals.numel() == 0) continue;
            result.scores[g] = drawn(g, originals[-1].item<int64_t>() + 1).index_select(0, originals);
        }
        return result;
    }

  private:
    torch::Tensor drawn(size_t group, int64_t count) const {
        Random random(seed_, Stream::method, group);
        std::vector<double> values(static_cast<size_t>(count));
        for (auto& value : values) value = random.uniform();
        return torch::tensor(values, torch::kFloat64);
    }

    uint64_t seed_;
};

}  // namespace

Registry<Criterion>::Entry random_criterion() {
    return {{.key = "random",
             .summary = "uniform numbers",
             .paper = "",
             .options = {{"seed", 0, "of the numbers"}}},
            [](const nlohmann::json& options) {
                return std::make_unique<RandomScores>(options.at("seed").get<uint64_t>());
            }};
}

}  // namespace mtlprune
