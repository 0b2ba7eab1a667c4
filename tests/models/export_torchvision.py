"""Writes torchvision_outputs.csv: what torchvision's networks compute and cost, for our own to be compared with.

  python3 export_torchvision.py > torchvision_outputs.csv

Weights and images are formulas of (name, index), weight_formula.py: no weights are stored. Every row is a network (our spec of it), a quantity and numbers: "cost" has parameters and multiply-accumulates of one
image with a linear classifier of 1000 classes (CIFAR: 10), "map<i>" and "scores" mean, root of the mean square, and samples.
Needs torch and torchvision (written with 1.13 and 0.14).
"""
import re
import sys

import torch
import torchvision.models as models
from torchvision.models.resnet import BasicBlock
from weight_formula import fill, image

SAMPLES = 12


def cost(network, side):
    macs = 0

    def count(layer, inputs, output):
        nonlocal macs
        macs += output.numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    network(image(side, side))
    for hook in hooks:
        hook.remove()
    return [sum(p.numel() for p in network.parameters()), macs]


def described(tensor):
    flat = tensor.flatten().double()
    at = [i * flat.numel() // SAMPLES for i in range(SAMPLES)]
    return [f"{x:.9g}" for x in [flat.mean().item(), flat.square().mean().sqrt().item(), *flat[at].tolist()]]


def atrous(network, dilations, first_too):
    """Dilations instead of the strides of layer3 and layer4; `first_too`: in the first convolution of a layer too."""
    for layer, before, dilation in ((network.layer3, *dilations[:2]), (network.layer4, *dilations[1:])):
        for name, m in layer.named_modules():
            if isinstance(m, torch.nn.Conv2d):
                m.stride = (1, 1)
                if m.kernel_size == (3, 3):
                    d = before if name == "0.conv1" and not first_too else dilation
                    m.dilation = m.padding = (d, d)
    return network


def dilated_resnet34():
    return atrous(models.resnet34(), (1, 2, 4), first_too=False)


def deeplab_resnet34():
    network = atrous(models.resnet34(), (1, 2, 4), first_too=True)
    network.maxpool.ceil_mode = True
    return network


def adashare_name(name):
    name = re.sub(r"^layer(\d)\.0\.downsample", lambda m: f"ds.{int(m[1]) - 1}", name)
    return re.sub(r"^layer(\d)", lambda m: f"blocks.{int(m[1]) - 1}", name)


class PaddingShortcut(torch.nn.Module):
    def forward(self, x):
        half = x.shape[1] // 2
        return torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))


class CifarResNet(torch.nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        for i, (inputs, outputs) in enumerate(((16, 16), (16, 32), (32, 64))):
            first = BasicBlock(inputs, outputs, 2, PaddingShortcut()) if i > 0 else BasicBlock(inputs, outputs)
            rest = [BasicBlock(outputs, outputs) for _ in range(blocks - 1)]
            setattr(self, f"layer{i + 1}", torch.nn.Sequential(first, *rest))
        self.fc = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def vgg(make):
    network = make()
    network.avgpool = torch.nn.AdaptiveAvgPool2d(1)
    network.classifier = torch.nn.Linear(512, 1000)
    return network


LAYERS = ["layer1", "layer2", "layer3", "layer4"]
DENSE = ["denseblock1", "denseblock2", "denseblock3", "norm5"]
NETWORKS = [  # our spec, network, modules that give the maps, side of the image, names of its tensors
    ("vgg16", lambda: vgg(models.vgg16), ["features"], 64),
    ("vgg16:batch_norm", lambda: vgg(models.vgg16_bn), ["features"], 64),
    ("resnet18", models.resnet18, LAYERS, 64),
    ("resnet34", models.resnet34, LAYERS, 64),
    ("resnet50", models.resnet50, LAYERS, 64),
    ("resnet50:output_stride=16", lambda: models.resnet50(replace_stride_with_dilation=[False, False, True]), LAYERS, 64),
    ("resnet50:dilated", lambda: models.resnet50(replace_stride_with_dilation=[False, True, True]), LAYERS, 64),
    ("resnet34:dilated", dilated_resnet34, LAYERS, 64),
    ("deeplab_resnet34", deeplab_resnet34, LAYERS, 64, adashare_name),
    ("mobilenetv2", models.mobilenet_v2, [f"features.{i}" for i in (3, 6, 13, 18)], 64),
    ("densenet121", models.densenet121, [f"features.{name}" for name in DENSE], 64),
    ("resnet20", lambda: CifarResNet(3), LAYERS[:3], 32),
    ("resnet56", lambda: CifarResNet(9), LAYERS[:3], 32),
]


def rows(spec, make, maps, side, rename=lambda name: name):
    network = make().eval()
    yield "cost", cost(network, 32 if "layer4" not in maps and spec.startswith("resnet") else 224)
    fill(network, rename)
    found = {}
    for i, name in enumerate(maps):
        def keep(layer, inputs, output, i=i, name=name):
            found[i] = torch.relu(output) if name == "features.norm5" else output.clone()
        network.get_submodule(name).register_forward_hook(keep)
    scores = network(image(side, side))
    for i in sorted(found):
        yield f"map{i}", described(found[i])
    yield "scores", described(scores)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    print("# Written by tests/models/export_torchvision.py.")
    print("network,quantity,numbers")
    for network in NETWORKS:
        for quantity, numbers in rows(*network):
            print(f"{network[0]},{quantity},{' '.join(map(str, numbers))}")
            sys.stdout.flush()
