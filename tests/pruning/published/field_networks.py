"""The networks of the field cases as PyTorch modules, with the files' names of parameters: what a pruner of Python code takes."""
import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, size=3, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2 if size % 2 else 0)


class Chain(nn.Module):
    """Two layers a and b, with `between` of them."""

    def __init__(self, between, bias=True):
        super().__init__()
        self.a, self.b, self.between = nn.Linear(8, 32, bias), nn.Linear(32, 4), between

    def forward(self, x):
        return self.b(self.between(self.a(x)))


class Optional(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 4)

    def forward(self, x, mask=None, scale=1.0):
        y = F.relu(self.a(x)) * scale
        return self.b(y if mask is None else y * mask)


class IndexAdd(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 4)

    def forward(self, x, edges):
        y = F.relu(self.a(x))
        return self.b(y + torch.zeros_like(y).index_add(0, edges[1], y[edges[0]]))


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.o = nn.Linear(12, 32), nn.Linear(32, 32), nn.Linear(32, 5)

    def forward(self, x):
        batch, length = x.shape[:2]
        y = F.gelu(F.relu(self.a(x)).reshape(batch, length * 32))
        return self.o(self.b(y.view(batch * length, 32)).view(batch, length, 32))


class Fold(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.o = conv(3, 32), conv(32, 5, 1)
        self.register_buffer("k", torch.ones(1, 1, 3, 3))

    def forward(self, x):
        y = F.relu(self.a(x))
        batch, _, high, wide = y.shape
        return self.o(F.conv2d(y.view(batch * 32, 1, high, wide), self.k, padding=1).view(batch, 32, high, wide))


class WrittenNorm(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.weight, self.bias, self.how = nn.Parameter(torch.ones(32)), nn.Parameter(torch.zeros(32)), how

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        variance = x.var(1, False, keepdim=True) if self.how == "var" else (x - mean).pow(2).mean(1, keepdim=True)
        y = (x - mean) * torch.rsqrt(variance + 1e-6) if self.how == "rsqrt" else (x - mean) / torch.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * y + self.bias[:, None, None]


class Normed(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.a, self.n, self.b, self.o = conv(3, 32, 4, 4), WrittenNorm(how), conv(32, 32), conv(32, 5, 1)

    def forward(self, x):
        x = self.n(self.a(x))
        return self.o(F.gelu(self.b(x)) + x)


class SegNet(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.a, self.b, self.c, self.d = (conv(inputs, outputs) for inputs, outputs in widths)

    def forward(self, x):
        x, places = F.max_pool2d(F.relu(self.a(x)), 2, return_indices=True)
        return self.d(F.max_unpool2d(F.relu(self.c(F.relu(self.b(x)))), places, 2))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.i, self.l, self.o = nn.Linear(8, 16), nn.LSTM(16, 24, batch_first=True), nn.Linear(24, 4)

    def forward(self, x):
        return self.o(self.l(self.i(x))[0])


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.n, self.b, self.c = nn.Linear(12, 32), nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 5)

    def forward(self, x):
        return self.c(F.gelu(self.b(self.n(self.a(x)))))


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.f1, self.f2, self.o = nn.Linear(8, 32), nn.Linear(32, 64), nn.Linear(64, 32), nn.Linear(32, 4)

    def forward(self, x):
        x = self.a(x)
        steps = torch.arange(x.shape[1]).float().unsqueeze(1)
        rates = torch.exp(torch.arange(0, 32, 2).float() * (-9.2 / 32))
        x = x + torch.cat([torch.sin(steps * rates), torch.cos(steps * rates)], -1)
        return self.o(x + self.f2(F.relu(self.f1(x))))


class RelativePositions(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.kk, self.v, self.o = nn.Linear(12, 32), nn.Linear(12, 32), nn.Linear(12, 32), nn.Linear(32, 5)
        self.p = nn.Linear(12, 32, bias=False)
        self.u, self.w = nn.Parameter(torch.zeros(4, 8)), nn.Parameter(torch.zeros(4, 8))

    def forward(self, x, positions):
        batch, length = x.shape[:2]
        q, k, v = (layer(x).view(batch, length, 4, 8) for layer in (self.q, self.kk, self.v))
        p = self.p(positions[:1]).view(1, -1, 4, 8).transpose(1, 2)
        a = ((q + self.w).transpose(1, 2)) @ p.transpose(-2, -1)
        shifted = torch.cat([torch.zeros(*a.shape[:3], 1), a], -1).view(a.shape[0], a.shape[1], a.shape[3] + 1, a.shape[2])
        a = shifted[:, :, 1:].view_as(a)[..., :length] + (q + self.u).transpose(1, 2) @ k.permute(0, 2, 3, 1)
        return self.o((a.softmax(-1) @ v.transpose(1, 2)).transpose(1, 2).reshape(batch, length, 32))


class Rotation(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("inv", torch.ones(2))

    def forward(self, length):
        angles = torch.outer(torch.arange(length).float(), self.inv)
        angles = torch.cat([angles, angles], -1)
        return angles.cos(), angles.sin()


class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.i, self.r = nn.Linear(12, 32), Rotation()
        self.q, self.k, self.v, self.p = (nn.Linear(32, 32) for _ in range(4))
        self.o = nn.Linear(32, 5)

    def forward(self, x):
        x = self.i(x)
        batch, length, _ = x.shape
        q, k, v = (layer(x).view(batch, length, 8, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        cos, sin = self.r(length)

        def turn(y):
            first, second = y.chunk(2, -1)
            return y * cos + torch.cat([-second, first], -1) * sin

        y = (turn(q) @ turn(k).transpose(2, 3)).softmax(-1) @ v
        return self.o(x + self.p(y.transpose(1, 2).reshape(batch, length, -1)))


class FakeQuantised(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1), nn.Linear(32, 5)
        for name, outputs in (("a", 16), ("b", 32)):
            self.register_buffer(name + "_s", torch.ones(outputs))
            self.register_buffer(name + "_z", torch.zeros(outputs, dtype=torch.int32))
        self.register_buffer("act", torch.ones(1))
        self.register_buffer("zp", torch.zeros(1, dtype=torch.int32))

    def rounded(self, x):
        return torch.fake_quantize_per_tensor_affine(x, self.act, self.zp, -128, 127)

    def forward(self, x):
        for layer, scale, zero in ((self.a, self.a_s, self.a_z), (self.b, self.b_s, self.b_z)):
            weight = torch.fake_quantize_per_channel_affine(layer.weight, scale, zero, 0, -127, 127)
            x = F.relu(F.conv2d(self.rounded(x), weight, layer.bias, 2, 1))
        return self.c(self.rounded(x.mean((2, 3))))


class IntegerWeights(nn.Module):
    def __init__(self):
        super().__init__()
        for name, inputs, outputs in (("a", 12, 32), ("b", 32, 48), ("c", 48, 5)):
            self.register_buffer(name, torch.zeros(outputs, inputs, dtype=torch.int8))
            self.register_buffer(name + "_s", torch.ones(outputs, 1))
            setattr(self, name + "b", nn.Parameter(torch.zeros(outputs)))

    def forward(self, x):
        x = F.relu(F.linear(x, self.a.float() * self.a_s, self.ab))
        x = F.relu(F.linear(x, self.b.float() * self.b_s, self.bb))
        return F.linear(x, self.c.float() * self.c_s, self.cb)


class TwoConvolutions(nn.Module):
    """`repeats`: the second input says how often; else the input is a list."""

    def __init__(self, repeats):
        super().__init__()
        self.a, self.b, self.repeats = conv(3, 16), conv(16, 4, 1), repeats

    def forward(self, x, times=1):
        if self.repeats:
            return self.b(F.relu(self.a(x)).repeat(1, 1, times, 1))
        return [self.b(F.relu(self.a(y))) for y in x]


class DeformableAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.off, self.aw, self.v, self.o = nn.Linear(32, 64), nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, q, x, boxes, sizes):
        batch, queries = q.shape[:2]
        values = self.v(x).reshape(batch, x.shape[1], 4, 8)
        offsets = self.off(q).reshape(batch, queries, 4, 2, 4, 2)
        weights = self.aw(q).reshape(batch, queries, 4, 8).softmax(-1).reshape(batch, queries, 4, 2, 4)
        places = boxes[:, :, None, None, None, :2] + offsets / 4 * boxes[:, :, None, None, None, 2:] * 0.5
        grid, sampled = places * 2 - 1, []
        for level, (value, (high, wide)) in enumerate(zip(values.split([h * w for h, w in sizes], 1), sizes)):
            maps = value.flatten(2).permute(0, 2, 1).reshape(batch * 4, 8, high, wide)
            sampled.append(F.grid_sample(maps, grid[:, :, :, level].permute(0, 2, 1, 3, 4).flatten(0, 1), align_corners=False))
        weights = weights.permute(0, 2, 1, 3, 4).reshape(batch * 4, 1, queries, 8)
        return self.o((torch.stack(sampled, -2).flatten(-2) * weights).sum(-1).reshape(batch, 32, queries).permute(0, 2, 1))


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Sequential(nn.Conv2d(3, 24, 3, 4, 1), nn.BatchNorm2d(24), nn.ReLU())
        self.c2 = nn.Sequential(nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU())
        self.p = nn.ModuleList(nn.Sequential(nn.Conv2d(width, 32, 1), nn.BatchNorm2d(32)) for width in (24, 48))
        self.eo, self.ec = nn.Sequential(nn.Linear(32, 32), nn.LayerNorm(32)), nn.Linear(32, 5)
        self.eb = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
        self.ca, self.n1, self.n2 = DeformableAttention(), nn.LayerNorm(32), nn.LayerNorm(32)
        self.f1, self.f2 = nn.Linear(32, 64), nn.Linear(64, 32)
        self.qp = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 32))
        self.dc, self.db = nn.Linear(32, 5), nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, image):
        first = self.c1(image)
        maps = [self.p[0](first), self.p[1](self.c2(first))]
        memory = torch.cat([x.flatten(2).permute(0, 2, 1) for x in maps], 1)
        encoded = self.eo(memory)
        classes, boxes = self.ec(encoded), self.eb(encoded)
        best = classes.max(-1)[0].topk(8, 1)[1].unsqueeze(-1)
        boxes = boxes.gather(1, best.repeat(1, 1, boxes.shape[2])).sigmoid()
        target = encoded.gather(1, best.repeat(1, 1, encoded.shape[2]))
        x = self.n1(target + self.ca(target + self.qp(boxes), memory, boxes, [x.shape[2:] for x in maps]))
        x = self.n2(x + self.f2(F.relu(self.f1(x))))
        return self.dc(x), torch.sigmoid(self.db(x) + torch.log(boxes / (1 - boxes))), classes


def vit():
    from torchvision.models.vision_transformer import VisionTransformer
    return VisionTransformer(16, 4, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=5)


# Case: how to make the network, its output layers.
NETWORKS = {
    "deform_attn": (Detector, ["ec", "eb.2", "dc", "db.2"]),
    "fake_quant": (FakeQuantised, ["c"]),
    "flat_trace": (Flat, ["o"]),
    "fold_trace": (Fold, ["o"]),
    "fp16_tokens": (Tokens, ["c"]),
    "frobenius_norm": (lambda: Chain(lambda y: y / torch.frobenius_norm(y, -1, True), bias=False), ["b"]),
    "index_add": (IndexAdd, ["b"]),
    "int8_buffers": (IntegerWeights, []),
    "int_input": (lambda: TwoConvolutions(True), ["b"]),
    "list_input": (lambda: TwoConvolutions(False), ["b"]),
    "ln2d_rsqrt": (lambda: Normed("rsqrt"), ["o"]),
    "ln2d_twice": (lambda: Normed("twice"), ["o"]),
    "ln2d_var": (lambda: Normed("var"), ["o"]),
    "position_code": (Positions, ["o"]),
    "relpos_bias": (RelativePositions, ["o"]),
    "rope_whole_heads": (Rotary, ["o"]),
    "script_fstring": (lambda: Chain(F.relu), ["b"]),
    "script_lstm": (Recurrent, ["o"]),
    "script_optional": (Optional, ["b"]),
    "segnet_unpool": (lambda: SegNet([(3, 16), (16, 32), (32, 16), (16, 5)]), ["d"]),
    "vit_whole_heads": (vit, ["heads.head"]),
}
