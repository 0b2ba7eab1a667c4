// Norms across channels as people write them out.
#include <fmt/format.h>

#include "tests/pruning/source_layers.h"

namespace mtlprune::toy {

const std::vector<WrittenNorm>& written_norms() {
    static const std::vector<WrittenNorm> forms = {
        {"difference_twice",
         "u = x.mean([1], True)\nv = (x - u).pow(2.0).mean([1], True)\nx = (x - u) / torch.sqrt(v + 1e-5)\n"},
        {"difference_reused",
         "d = x - x.mean([1], True)\nx = d * torch.rsqrt(torch.mean(d * d, [1], True) + 1e-5)\n"},
        {"variance",
         "u = x.mean([1], True)\nx = (x - u) / torch.sqrt(torch.var(x, [1], False, True) + 1e-5)\n"},
        {"unbiased_variance",
         "u = x.mean([1], True)\nx = (x - u) * torch.rsqrt(torch.var(x, [1], True, True) + 1e-5)\n", "[1]",
         true, 1},
        {"corrected_variance",
         "v = torch.var(x, [1], correction=0, keepdim=True)\nx = (x - x.mean([1], True)) / (v + "
         "1e-5).sqrt()\n"},
        {"variance_of_difference",
         "d = x - x.mean([1], True)\nx = d / torch.sqrt(torch.var(d, [1], False, True) + 1e-5)\n"},
        {"variance_with_mean",
         "v, u = torch.var_mean(x, [1], False, True)\nx = (x - u) * torch.rsqrt(v + 1e-5)\n"},
        {"deviation", "x = (x - x.mean([1], True)) / (torch.std(x, [1], True, True) + 1e-5)\n", "[1]", true,
         1, true},
        {"deviation_with_mean", "s, u = torch.std_mean(x, [1], False, True)\nx = (x - u) / (s + 1e-5)\n",
         "[1]", true, 0, true},
        {"negative_power",
         "u = x.mean([1], True)\nv = torch.square(x - u).mean([1], True)\nx = (x - u) * torch.pow(v + 1e-5, "
         "-0.5)\n"},
        {"power_of_half",
         "u = x.mean([1], True)\nv = torch.square(torch.abs(u - x)).mean([1], True)\n"
         "x = (x - u) / torch.pow(v + 1e-5, 0.5)\n"},
        {"reciprocal",
         "u = x.mean([1], True)\nd = x - u\nv = (d ** 2.0).mean([1], True)\nx = (1.0 / torch.sqrt(v + 1e-5)) "
         "* d\n"},
        {"difference_of_squares",
         "u = x.mean([1], True)\nv = (x * x).mean([1], True) - u * u\nx = (x - u) / torch.sqrt(v + 1e-5)\n"},
        {"scale_and_shift",
         "v, u = torch.var_mean(x, [1], False, True)\ns = torch.rsqrt(v + 1e-5)\nx = x * s - u * s\n"},
        {"unsqueezed",
         "u = x.mean([1]).unsqueeze(1)\nv = torch.var(x, [1], False).unsqueeze(1)\n"
         "x = (x - u) / torch.sqrt(v + 1e-5)\n"},
        {"in_place",
         "u = x.mean([1], True)\nv = torch.var(x, [1], False, True)\nx = x.sub(u)\nx.div_((v + "
         "1e-5).sqrt_())\n"},
        {"viewed",
         "f = x.flatten(2)\nu = f.mean([1]).view([x.size(0), 1, -1])\n"
         "v = ((f - u) * (f - u)).mean([1], True)\nx = ((f - u) / torch.sqrt(v + 1e-5)).view_as(x)\n"},
        {"last_axis",
         "t = x.permute([0, 2, 3, 1])\nu = t.mean([-1], True)\nv = torch.var(t, [-1], False, True)\n"
         "x = ((t - u) / torch.sqrt(v + 1e-5)).permute([0, 3, 1, 2])\n"},
        {"global",
         "u = x.mean([1, 2, 3], True)\nx = (x - u) / torch.sqrt(torch.var(x, [1, 2, 3], False, True) + "
         "1e-5)\n",
         "[1, 2, 3]"},
        {"global_in_steps",
         "u = x.mean([1], True).mean([2, 3], True)\n"
         "v = torch.pow(x - u, 2.0).mean([1], True).mean([2, 3], True)\nx = (x - u) / torch.pow(v + 1e-5, "
         "0.5)\n",
         "[1, 2, 3]"},
        {"of_everything", "x = (x - torch.mean(x)) / (torch.std(x, False) + 1e-5)\n", "[0, 1, 2, 3]", true, 0,
         true},
        {"root_mean_square", "x = x / torch.sqrt(x.pow(2.0).mean([1], True) + 1e-5)\n", "[1]", false},
        {"root_mean_square_outside",
         "x = x * torch.reciprocal(torch.square(x).mean([1], True).sqrt() + 1e-5)\n", "[1]", false, 0, true},
        {"root_mean_square_by_power", "v = x.abs().square().mean([1], True)\nx = x * (v + 1e-5).pow(-0.5)\n",
         "[1]", false},
    };
    return forms;
}

Layer written_norm(const std::string& name, int64_t channels, const WrittenNorm& form) {
    const char* affine = "return x * self.weight.view([1, -1, 1, 1]) + self.bias.view([1, -1, 1, 1])";
    std::string masked = "m = (self.weight != 0).to(x.dtype).view([1, -1, 1, 1])\n";
    masked += fmt::format("n = m.expand_as(x).sum({}, True)\n", form.axes);
    if (form.centred) masked += fmt::format("x = x - (x * m).sum({}, True) / n\n", form.axes);
    masked += fmt::format("v = (x * x * m).sum({}, True) / (n - {})\n", form.axes, form.correction);
    masked += form.epsilon_outside ? "x = x / (torch.sqrt(v) + 1e-5)\n" : "x = x / torch.sqrt(v + 1e-5)\n";
    return {name,
            {{"weight", {channels}}, {"bias", {channels}}},
            std::string(form.body) + affine,
            masked + affine};
}

}  // namespace mtlprune::toy
