#!/usr/bin/env python3
"""Training iterations of a network in PyTorch, with the requests and answers of bench_training_throughput.

    printf 'step 2\\nstep 5\\n' | /usr/bin/python3 bench/peer/time_training.py --model resnet18/smallaspp:hidden=64 \\
        --side 128 --batch 4 --threads 2 --layout channels_last

Networks are torchvision's or those of tests/models/export_*.py; heads, losses and Adam's settings are those that mtlprune
trains with, written as usual in PyTorch: one forward pass of the backbone, the sum of the losses, one backward pass.
`--layout` is that of weights and images.
"""
import argparse
import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "models")
sys.path.insert(0, TESTS)
TASKS = {"segmentation": 40, "normals": 3, "depth": 1}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Unknown(Exception):
    """A network that has no version here."""


def choice(text):
    """"vgg16:pools=2,batch_norm" as name and options."""
    name, _, rest = text.partition(":")
    options = {}
    for item in filter(None, rest.split(",")):
        key, _, value = item.partition("=")
        options[key] = json.loads(value) if value else True
    return name, options


class Maps(nn.Module):
    """Modules one after the other; the last result is the only map."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x):
        return [self.parts(x)]


def vgg16(width=1.0, pools=5, batch_norm=False):
    from torchvision.models.vgg import cfgs, make_layers
    layers, seen = [], 0
    for layer in cfgs["D"]:
        seen += layer == "M"
        if layer != "M" or seen <= pools:
            layers.append(layer if layer == "M" else max(1, int(layer * width + 0.5)))
    features = make_layers(layers, batch_norm=batch_norm)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return Maps(features)


def resnet_maps(network):
    return Maps(network.conv1, network.bn1, network.relu, network.maxpool, network.layer1, network.layer2, network.layer3,
                network.layer4)


def resnet(depth):
    import torchvision
    return lambda: resnet_maps(getattr(torchvision.models, f"resnet{depth}")())


def deeplab_resnet34():
    import export_torchvision
    return resnet_maps(export_torchvision.deeplab_resnet34())


def mobilenetv2():
    import torchvision
    return Maps(torchvision.models.mobilenet_v2().features)


def densenet121():
    import torchvision
    return Maps(torchvision.models.densenet121().features, nn.ReLU())


def decoder(name):
    def make(**options):
        import export_decoders
        return getattr(export_decoders, name)(**options)
    return make


BACKBONES = {"vgg16": vgg16, "resnet18": resnet(18), "resnet34": resnet(34), "resnet50": resnet(50),
             "deeplab_resnet34": deeplab_resnet34, "mobilenetv2": mobilenetv2, "densenet121": densenet121,
             "segnet": decoder("SegNet"), "unet": decoder("UNet"), "convnext_t": decoder("ConvNext"), "vit_s16": decoder("Vit")}


class SmallAspp(nn.Module):
    def __init__(self, channels, out, hidden=1024, dropout=0.5, rates=(1, 2, 4, 6)):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=rate, dilation=rate), nn.ReLU(), nn.Dropout(dropout),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(), nn.Dropout(dropout), nn.Conv2d(hidden, out, 1)) for rate in rates)

    def forward(self, maps):
        return sum(branch(maps[-1]) for branch in self.branches[1:]) + self.branches[0](maps[-1])


class Linear(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1)

    def forward(self, maps):
        return self.conv(maps[-1])


def dpt(channels, out, hidden=256):
    import export_decoders
    return export_decoders.Dpt(channels, hidden, out)


def mtan(channels, out):
    import export_decoders
    return export_decoders.Mtan(out)


HEADS = {"smallaspp": SmallAspp, "linear": Linear, "dpt": dpt, "mtan": mtan}


class MultiTask(nn.Module):
    def __init__(self, backbone, make_head):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(make_head(out) for out in TASKS.values())

    def forward(self, image):
        maps = self.backbone(image)
        return [head(maps) for head in self.heads]


def build(text):
    (name, options), (head, head_options) = (choice(part) for part in text.split("/"))
    if name not in BACKBONES or head not in HEADS:
        raise Unknown(f"{text}: expected a backbone of {', '.join(BACKBONES)} and a head of {', '.join(HEADS)}")
    backbone = BACKBONES[name](**options)
    with torch.no_grad():
        channels = backbone(torch.zeros(2, 3, 64, 64))[-1].shape[1]
    network = MultiTask(backbone, lambda out: HEADS[head](channels, out, **head_options))
    for layer in network.modules():
        if isinstance(layer, nn.ReLU):  # all of them read what only they read
            layer.inplace = True
    return network


def forward_macs(network, side):
    """Of one image: convolutions, linear layers and attention."""
    from export_decoders import count_macs
    network.eval()
    with torch.no_grad():
        macs = count_macs(network, torch.zeros(1, 3, side, side))[0]
    network.train()
    return macs


def random_batch(count, side):
    torch.manual_seed(count)
    normals = functional.normalize(torch.randn(count, 3, side, side), dim=1)
    return (torch.randn(count, 3, side, side), torch.randint(0, 40, (count, side, side)), normals,
            torch.empty(count, 1, side, side).uniform_(0.5, 8.0), torch.ones(count, 1, side, side, dtype=torch.bool))


def resized(x, size):
    """Nearest neighbours in the last two dimensions, of any type."""
    for dim in (-2, -1):
        old, new = x.shape[dim], size[dim]
        if old != new:
            x = x.index_select(dim, (torch.arange(new) * (old / new)).long().clamp_max(old - 1))
    return x


def mean_where(mask, losses):
    return torch.where(mask, losses, torch.zeros_like(losses)).sum() / mask.sum().clamp_min(1)


def task_losses(predictions, classes, normals, depth, mask):
    scores, direction, metres = predictions
    size = scores.shape[2:]
    small = resized(mask, size)
    labels = resized(classes, size).masked_fill(~small.squeeze(1), -100)
    losses = [functional.cross_entropy(scores, labels, ignore_index=-100)]
    size = direction.shape[2:]
    small = resized(mask, size)
    cosine = (functional.normalize(direction, dim=1) * resized(normals, size)).sum(1, keepdim=True)
    losses.append(mean_where(small, 1 - cosine))
    size = metres.shape[2:]
    losses.append(mean_where(resized(mask, size), (metres - resized(depth, size)).abs()))
    return losses


class Training:
    def __init__(self, network, batch, layout):
        self.network = network.to(memory_format=LAYOUTS[layout]).train()
        self.image, *self.targets = batch
        self.image = self.image.contiguous(memory_format=LAYOUTS[layout])
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.999), weight_decay=1e-4)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        losses = task_losses(self.network(self.image), *self.targets)
        sum(losses).backward()
        self.optimizer.step()
        return losses

    def steps(self, count):
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            losses = self.step()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds, "losses": [loss.item() for loss in losses]}


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=LAYOUTS, default="contiguous")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        network = build(options.model)
    except (Unknown, TypeError, ModuleNotFoundError) as error:  # options that it does not have are TypeErrors
        say({"error": str(error)})
        return
    say({"parameters": sum(p.numel() for p in network.parameters()),
         "forward_macs": options.batch * forward_macs(network, options.side),
         "libtorch": torch.__version__, "threads": torch.get_num_threads()})
    training = Training(network, random_batch(options.batch, options.side), options.layout)
    for request in sys.stdin:
        what, count = request.split()
        if what != "step":
            raise SystemExit(f"time_training.py: expected step N, found '{request.strip()}'")
        say(training.steps(int(count)))


if __name__ == "__main__":
    main()
