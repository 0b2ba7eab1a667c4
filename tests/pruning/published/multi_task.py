"""Multi-task networks that no package has, in a few lines each: the published structure with few channels."""
import torch
import torch.nn.functional as F
from torch import nn

from published.network import Network

TASKS = (13, 1, 3)  # segmentation, depth, normals
WIDTHS = (16, 24, 32)
IMAGE = "1x3x64x64"


def block(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def encoder(widths=WIDTHS):
    return nn.ModuleList(block(a, b, 2) for a, b in zip((3, *widths), widths))


class SegNet(nn.Module):
    """Un-pools by the indices of its encoder (Badrinarayanan et al. 2015), one head per task."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(nn.Sequential(block(a, b), block(b, b)) for a, b in zip((3, *WIDTHS), WIDTHS))
        self.up = nn.ModuleList(nn.Sequential(block(b, b), block(b, a)) for a, b in zip((WIDTHS[0], *WIDTHS), WIDTHS))
        self.heads = nn.ModuleList(nn.Conv2d(WIDTHS[0], outputs, 1) for outputs in TASKS)

    def forward(self, x):
        places = []
        for down in self.down:
            x, place = F.max_pool2d(down(x), 2, return_indices=True)
            places.append(place)
        for up, place in zip(reversed(self.up), reversed(places)):
            x = up(F.max_unpool2d(x, place, 2))
        return tuple(head(x) for head in self.heads)


class MTAN(nn.Module):
    """A SegNet whose features every task gates by attention of its own (Liu et al. 2019)."""

    def __init__(self):
        super().__init__()
        self.first = nn.ModuleList(block(a, b) for a, b in zip((3, *WIDTHS), WIDTHS))
        self.second = nn.ModuleList(block(b, b) for b in WIDTHS)
        self.up = nn.ModuleList(block(b, a) for a, b in zip((WIDTHS[0], *WIDTHS), WIDTHS))
        before = (0, *WIDTHS)
        self.gates = nn.ModuleList(nn.ModuleList(nn.Sequential(
            nn.Conv2d(b + a, b, 1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 1), nn.BatchNorm2d(b), nn.Sigmoid())
            for a, b in zip(before, WIDTHS)) for _ in TASKS)
        self.after = nn.ModuleList(nn.ModuleList(block(b, b) for b in WIDTHS) for _ in TASKS)
        self.up_gates = nn.ModuleList(nn.ModuleList(nn.Sequential(nn.Conv2d(a + b, a, 1), nn.BatchNorm2d(a), nn.Sigmoid())
                                                    for a, b in zip((WIDTHS[0], *WIDTHS), WIDTHS)) for _ in TASKS)
        self.heads = nn.ModuleList(nn.Sequential(nn.Conv2d(WIDTHS[0], WIDTHS[0], 3, padding=1), nn.Conv2d(WIDTHS[0], outputs, 1))
                                   for outputs in TASKS)

    def forward(self, x):
        firsts, seconds, places, ups = [], [], [], []
        for first, second in zip(self.first, self.second):
            firsts.append(first(x))
            seconds.append(second(firsts[-1]))
            x, place = F.max_pool2d(seconds[-1], 2, return_indices=True)
            places.append(place)
        for up, place in zip(reversed(self.up), reversed(places)):
            x = up(F.max_unpool2d(x, place, 2))
            ups.insert(0, x)
        found = []
        for gates, after, up_gates, head in zip(self.gates, self.after, self.up_gates, self.heads):
            task = None
            for gate, go_on, first, second in zip(gates, after, firsts, seconds):
                task = gate(first if task is None else torch.cat([first, task], 1)) * second
                task = F.max_pool2d(go_on(task), 2)
            for gate, up in zip(reversed(up_gates), reversed(ups)):
                task = F.interpolate(task, scale_factor=2.0, mode="bilinear", align_corners=True)
                task = gate(torch.cat([up, task], 1)) * up
            found.append(head(task))
        return F.log_softmax(found[0], 1), found[1], found[2] / torch.norm(found[2], p=2, dim=1, keepdim=True)


class PADNet(nn.Module):
    """First predictions of all tasks refine each other by gated messages (Xu et al. 2018); all predictions are outputs."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder()
        self.features = nn.ModuleList(block(WIDTHS[-1], 24) for _ in TASKS)
        self.first = nn.ModuleList(nn.Conv2d(24, outputs, 1) for outputs in TASKS)
        self.messages = nn.ModuleList(nn.ModuleList(nn.Conv2d(24, 24, 3, padding=1, bias=False) for _ in TASKS) for _ in TASKS)
        self.gates = nn.ModuleList(nn.Conv2d(24, 24, 3, padding=1) for _ in TASKS)
        self.last = nn.ModuleList(nn.Sequential(block(24, 16), nn.Conv2d(16, outputs, 1)) for outputs in TASKS)

    def forward(self, image):
        x = image
        for layer in self.encoder:
            x = layer(x)
        features = [feature(x) for feature in self.features]
        found = [first(feature) for first, feature in zip(self.first, features)]
        for to, last in enumerate(self.last):
            gate = torch.sigmoid(self.gates[to](features[to]))
            message = sum(gate * self.messages[to][other](features[other]) for other in range(len(features)) if other != to)
            found.append(F.interpolate(last(features[to] + message), image.shape[2:], mode="bilinear", align_corners=False))
        return tuple(found)


class MTINet(nn.Module):
    """PAD-Net's refinement at every scale, with features handed on to the next finer one (Vandenhende et al. 2020)."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder()
        self.tasks = nn.ModuleList(nn.ModuleList(block(width, 16) for _ in TASKS) for width in WIDTHS)
        self.handed = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(48, 12, 1), nn.ReLU(), nn.Conv2d(12, 48, 1),
                                                  nn.Sigmoid()) for _ in WIDTHS)
        self.joined = nn.ModuleList(block(16 * len(WIDTHS), 24) for _ in TASKS)
        self.heads = nn.ModuleList(nn.Conv2d(24, outputs, 1) for outputs in TASKS)

    def forward(self, image):
        x, scales = image, []
        for layer in self.encoder:
            x = layer(x)
            scales.append(x)
        coarser, per_task = None, [[] for _ in TASKS]
        for i in reversed(range(len(scales))):
            features = torch.cat([task(scales[i]) for task in self.tasks[i]], 1)
            if coarser is not None:
                features = features + F.interpolate(coarser, scale_factor=2.0, mode="bilinear", align_corners=False)
            coarser = features * self.handed[i](features)
            for kept, feature in zip(per_task, coarser.chunk(len(TASKS), 1)):
                kept.append(F.interpolate(feature, scales[0].shape[2:], mode="bilinear", align_corners=False))
        return tuple(head(join(torch.cat(kept, 1))) for head, join, kept in zip(self.heads, self.joined, per_task))


class CrossStitch(nn.Module):
    """One column per task; after every stage each takes a learnt mixture of all (Misra et al. 2016)."""

    def __init__(self, by_channel):
        super().__init__()
        self.columns = nn.ModuleList(encoder() for _ in TASKS)
        self.mixtures = nn.ParameterList(nn.Parameter(torch.rand(len(TASKS), len(TASKS), width if by_channel else 1))
                                         for width in WIDTHS)
        self.heads = nn.ModuleList(nn.Conv2d(WIDTHS[-1], outputs, 1) for outputs in TASKS)

    def forward(self, image):
        features = [image] * len(TASKS)
        for stage, mixture in enumerate(self.mixtures):
            features = [column[stage](x) for column, x in zip(self.columns, features)]
            features = [sum(mixture[to, other].view(1, -1, 1, 1) * x for other, x in enumerate(features))
                        for to in range(len(TASKS))]
        return tuple(head(x) for head, x in zip(self.heads, features))


class NDDR(nn.Module):
    """Columns that exchange features by a 1x1 convolution over all of them (Gao et al. 2019)."""

    def __init__(self):
        super().__init__()
        self.columns = nn.ModuleList(encoder() for _ in TASKS)
        self.joints = nn.ModuleList(nn.ModuleList(nn.Sequential(nn.Conv2d(len(TASKS) * width, width, 1, bias=False),
                                                                nn.BatchNorm2d(width), nn.ReLU()) for _ in TASKS)
                                    for width in WIDTHS)
        self.heads = nn.ModuleList(nn.Conv2d(WIDTHS[-1], outputs, 1) for outputs in TASKS)

    def forward(self, image):
        features = [image] * len(TASKS)
        for stage, joints in enumerate(self.joints):
            joined = torch.cat([column[stage](x) for column, x in zip(self.columns, features)], 1)
            features = [joint(joined) for joint in joints]
        return tuple(head(x) for head, x in zip(self.heads, features))


class MixtureOfExperts(nn.Module):
    """Experts that all tasks share, a gate per task (Ma et al. 2018), here over features of an image."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder()
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(WIDTHS[-1], 24), nn.ReLU()) for _ in range(4))
        self.gates = nn.ModuleList(nn.Linear(WIDTHS[-1], 4) for _ in TASKS)
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, outputs)) for outputs in TASKS)

    def forward(self, x):
        for layer in self.encoder:
            x = layer(x)
        x = x.mean((2, 3))
        experts = torch.stack([expert(x) for expert in self.experts], 1)
        return tuple(head((gate(x).softmax(-1).unsqueeze(-1) * experts).sum(1)) for head, gate in zip(self.heads, self.gates))


class TaskPrompts(nn.Module):
    """A transformer whose task tokens read the patches; products of both are the predictions (as InvPT, TaskPrompter)."""

    def __init__(self, width=48, heads=4):
        super().__init__()
        self.heads_of_attention = heads
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.prompts = nn.Parameter(torch.randn(1, len(TASKS), width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.wide = nn.ModuleList(nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
                                  for _ in range(2))
        self.last = nn.ModuleList(nn.Conv2d(width, outputs, 1) for outputs in TASKS)

    def attention(self, i, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv[i](x).reshape(batch, tokens, 3, self.heads_of_attention, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        return self.out[i]((weights @ v).transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, image):
        features = self.patches(image)
        batch, width, high, wide = features.shape
        x = torch.cat([self.prompts.expand(batch, -1, -1), features.flatten(2).transpose(1, 2)], 1)
        for i in range(2):
            x = x + self.attention(i, self.norms[2 * i](x))
            x = x + self.wide[i](self.norms[2 * i + 1](x))
        tokens, patches = x[:, :len(TASKS)], x[:, len(TASKS):]
        found = []
        for task, last in enumerate(self.last):
            gated = patches * torch.sigmoid((patches * tokens[:, task:task + 1]).sum(-1, keepdim=True) / width)
            maps = gated.transpose(1, 2).reshape(batch, width, high, wide)
            found.append(F.interpolate(last(maps), scale_factor=8.0, mode="bilinear", align_corners=False))
        return tuple(found)


def networks():
    yield Network("SegNet", SegNet, [IMAGE])
    yield Network("MTAN", MTAN, [IMAGE])
    yield Network("PAD-Net", PADNet, [IMAGE])
    yield Network("MTI-Net", MTINet, [IMAGE])
    yield Network("cross-stitch", lambda: CrossStitch(by_channel=False), [IMAGE])
    yield Network("cross-stitch_by_channel", lambda: CrossStitch(by_channel=True), [IMAGE])
    yield Network("NDDR-CNN", NDDR, [IMAGE])
    yield Network("MMoE", MixtureOfExperts, [IMAGE])
    yield Network("task_prompts", TaskPrompts, [IMAGE])
