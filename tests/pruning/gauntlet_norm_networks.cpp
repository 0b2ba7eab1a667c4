// Norms across channels that are written out.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
namespace {

std::vector<SourceNetwork> image_norms() {
    std::vector<SourceNetwork> networks;
    for (const auto& form : written_norms())
        networks.push_back({std::string("norm_") + form.name,
                            kImage,
                            {conv("a", 3, 8), written_norm("n", 8, form), conv("b", 8, 6), conv("o", 6, 4)},
                            "return self.o(torch.relu(self.b(self.n(self.a(x)))))",
                            {{"a.weight", {4, 3, 1, 1}}, {"n.weight", {4}}, {"b.weight", {3, 4, 1, 1}}}});
    return networks;
}

/// e [8] -> `norm` over the last axis, with scale and shift -> o
SourceNetwork tokens(const std::string& name, const std::string& body, const std::string& masked) {
    const std::string affine = "return x * self.weight + self.bias";
    return {name,
            kTokens,
            {linear("e", 12, 8),
             {"n", {{"weight", {8}}, {"bias", {8}}}, body + affine, masked.empty() ? "" : masked + affine},
             linear("o", 8, 4)},
            "return self.o(self.n(self.e(x)))",
            {{"e.weight", {4, 12}}, {"n.weight", {4}}, {"o.weight", {4, 4}}}};
}

std::vector<SourceNetwork> sequence_norms() {
    const std::string mask = "m = (self.weight != 0).to(x.dtype)\n";
    return {
        // All that comes of the first mean is free of its source's scale: it belongs to the norm.
        {"norm_in_two_steps",
         kImage,
         {conv("a", 3, 8),
          {"n",
           {{"gain", {8}}, {"weight", {8}}},
           "w = [1, -1, 1, 1]\nx = (x - x.mean([1], True)) * self.gain.view(w)\n"
           "return x * torch.rsqrt(x.pow(2.0).mean([1], True) + 1e-5) * self.weight.view(w)",
           "w = [1, -1, 1, 1]\nm = (self.weight != 0).to(x.dtype).view(w)\nn = m.sum()\n"
           "x = (x - (x * m).sum([1], True) / n) * self.gain.view(w)\n"
           "return x * torch.rsqrt((x * x * m).sum([1], True) / n + 1e-5) * self.weight.view(w)"},
          conv("o", 8, 4)},
         "return self.o(self.n(self.a(x)))",
         {{"a.weight", {4, 3, 1, 1}}, {"n.gain", {4}}, {"n.weight", {4}}, {"o.weight", {4, 4, 1, 1}}}},
        // Conv-TasNet's causal norm, by means and by sums: sums lose nothing, their count stays what it was.
        tokens("norm_cumulative_means",
               "c = torch.arange(1, 7).to(x.dtype).view([1, -1, 1])\n"
               "u = torch.cumsum(x.mean([-1], True), 1) / c\n"
               "v = torch.cumsum(x.pow(2.0).mean([-1], True), 1) / c - u.pow(2.0)\n"
               "x = (x - u) / (v + 1e-5).sqrt()\n",
               mask + "c = torch.arange(1, 7).to(x.dtype).view([1, -1, 1])\nn = m.sum()\n"
                      "u = torch.cumsum((x * m).sum([-1], True) / n, 1) / c\n"
                      "v = torch.cumsum((x * x * m).sum([-1], True) / n, 1) / c - u * u\n"
                      "x = (x - u) / (v + 1e-5).sqrt()\n"),
        tokens("norm_cumulative_sums",
               "c = (torch.arange(1, 7) * 8).to(x.dtype).view([1, -1])\n"
               "s = torch.cumsum(x.sum([2]), 1)\np = torch.cumsum(x.pow(2.0).sum([2]), 1)\nu = s / c\n"
               "v = (p - 2.0 * u * s) / c + u.pow(2.0)\nd = (v + 1e-5).sqrt()\n"
               "x = (x - u.unsqueeze(2).expand_as(x)) / d.unsqueeze(2).expand_as(x)\n",
               ""),
        // Groups that keep their number: as group norm.
        {"norm_of_groups",
         kImage,
         {conv("a", 3, 16),
          {"n",
           {{"weight", {16}}, {"bias", {16}}},
           "g = x.view([x.size(0), 2, -1])\nu = g.mean([2], True)\nv = torch.var(g, [2], False, True)\n"
           "g = ((g - u) / torch.sqrt(v + 1e-5)).view_as(x)\n"
           "return g * self.weight.view([1, -1, 1, 1]) + self.bias.view([1, -1, 1, 1])",
           group_norm("n", 16, 2).masked_body},
          conv("o", 16, 4)},
         "return self.o(self.n(self.a(x)))",
         {{"a.weight", {8, 3, 1, 1}}, {"n.weight", {8}}, {"o.weight", {4, 8, 1, 1}}}},
        // Its scale and shift come from elsewhere.
        {"norm_adaptive",
         {{{2, 3, 8, 8}}, {{2, 5}}},
         {conv("a", 3, 8),
          {"n",
           {{"weight", {8}}},
           "v, u = torch.var_mean(x, [1], False, True)\n"
           "return (x - u) * torch.rsqrt(v + 1e-5) * self.weight.view([1, -1, 1, 1])",
           "m = (self.weight != 0).to(x.dtype).view([1, -1, 1, 1])\nn = m.sum()\n"
           "x = x - (x * m).sum([1], True) / n\nv = (x * x * m).sum([1], True) / n\n"
           "return x / torch.sqrt(v + 1e-5) * self.weight.view([1, -1, 1, 1])"},
          linear("g", 5, 16),
          conv("o", 8, 4)},
         "s, t = torch.chunk(self.g(y), 2, 1)\nz = self.n(self.a(x))\n"
         "return self.o(z * (1.0 + s.unsqueeze(-1).unsqueeze(-1)) + t.unsqueeze(-1).unsqueeze(-1))",
         {{"a.weight", {4, 3, 1, 1}}, {"n.weight", {4}}, {"g.weight", {8, 5}}, {"o.weight", {4, 4, 1, 1}}}},
    };
}

/// Statistics over channels that are used for something else than a norm: a [8] stays whole.
SourceNetwork no_norm(const std::string& name, const std::string& body) {
    return {"no_norm_" + name,
            kImage,
            {conv("a", 3, 8), conv("o", 8, 4)},
            body,
            {{"a.weight", {8, 3, 1, 1}}, {"o.weight", {4, 8, 1, 1}}}};
}

std::vector<SourceNetwork> other_statistics() {
    return {
        no_norm("variance_as_a_gate", "y = self.a(x)\nreturn self.o(y * torch.var(y, [1], False, True))"),
        no_norm("mean_as_a_gate", "y = self.a(x)\nreturn self.o(y * torch.sigmoid(y.mean([1], True)))"),
        no_norm("deviation_of_another",
                "y = self.a(x)\nreturn self.o(torch.relu(y) / (torch.std(y * y, [1], True, True) + 0.1))"),
        no_norm("half_a_power",
                "y = self.a(x)\nreturn self.o(y / torch.pow((y * y).mean([1], True) + 0.1, 0.25))"),
        no_norm("distance_from_the_mean",
                "y = self.a(x)\nd = y - y.mean([1], True)\n"
                "return self.o(d * torch.rsqrt(d.square().mean([1], True) + 0.1) + d)"),
        no_norm("one_minus_the_mean",
                "y = self.a(x)\nu = y.mean([1], True)\nreturn self.o(y / (1.0 - u * u))"),
    };
}

}  // namespace

std::vector<SourceNetwork> gauntlet_norms() {
    auto all = image_norms();
    for (const auto& family : {sequence_norms(), other_statistics()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace mtlprune::toy
