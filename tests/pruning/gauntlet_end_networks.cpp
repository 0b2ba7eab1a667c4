// Several inputs and outputs in all their forms.
#include "tests/pruning/gauntlet_networks.h"

namespace mtlprune::toy {
std::vector<SourceNetwork> gauntlet_ends() {
    return {
        {"two_heads",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 8), conv("o", 8, 4), conv("q", 8, 2)},
         "y = torch.relu(self.a(x))\nreturn self.o(torch.relu(self.b(y))), self.q(y)",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 4, 1, 1}}, {"q.weight", {2, 4, 1, 1}}}},
        {"dictionary_of_outputs",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4), conv("q", 8, 2)},
         "y = torch.relu(self.a(x))\nreturn {'segmentation': self.o(y), 'depth': self.q(y)}",
         {{"a.weight", {4, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}, {"q.weight", {2, 4, 1, 1}}}},
        {"nested_outputs",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4), conv("q", 8, 2)},
         "y = torch.relu(self.a(x))\nreturn (self.o(y), [self.q(y), x])",
         {{"a.weight", {4, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"output_is_an_intermediate_too",
         kImage,
         {conv("a", 3, 8), conv("b", 8, 8), conv("o", 8, 4)},
         "y = torch.relu(self.a(x))\nreturn y, self.o(self.b(y))",
         {{"a.weight", {8, 3, 1, 1}}, {"b.weight", {4, 8, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"two_inputs",
         {{{2, 3, 8, 8}}, {{2, 5, 8, 8}}},
         {conv("a", 3, 8), conv("b", 5, 8), conv("o", 8, 4)},
         "return self.o(torch.relu(self.a(x) + self.b(y)))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 5, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"siamese",
         {{{2, 3, 8, 8}}, {{2, 3, 8, 8}}},
         {conv("a", 3, 8), conv("b", 16, 8), conv("o", 8, 4)},
         "return self.o(self.b(torch.cat([self.a(x), self.a(y)], 1)))",
         {{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 8, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
        {"detached_branch",
         kImage,
         {conv("a", 3, 8), conv("o", 8, 4)},
         "y = self.a(x)\nreturn self.o(y * torch.sigmoid(y.detach()))",
         {{"a.weight", {4, 3, 1, 1}}}},
        {"unused_layer",
         kImage,
         {conv("a", 3, 8), conv("z", 3, 8), conv("o", 8, 4)},
         "y = self.z(x)\nreturn self.o(self.a(x))",
         {{"a.weight", {4, 3, 1, 1}}, {"o.weight", {4, 4, 1, 1}}}},
    };
}

}  // namespace mtlprune::toy
