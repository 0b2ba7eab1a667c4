#!/usr/bin/env python3
"""Exports torchvision's networks as traces: OUT/NAME.pt and OUT/NAME.io.pt ({"input", "output0"}).

    export_networks.py OUT [NAME ...]      all networks of peer_counts.csv when none is named

Exit code 77 when torchvision is not installed. Files that exist are kept. Everything is drawn from seed 0: untrained
networks of some kinds have constant outputs, so normalisation statistics, affine parameters and the heads are drawn too.
"""
import csv
import os
import sys

try:
    import torch
    import torchvision.models as models
except ImportError as error:
    print(f"export_networks.py: {error}", file=sys.stderr)
    sys.exit(77)

SEGMENTATION_SIDE = 321
NORMALISATIONS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm, torch.nn.GroupNorm)


def build(name):
    if name in ("deeplabv3_resnet50", "fcn_resnet50"):
        return getattr(models.segmentation, name)(weights=None, weights_backbone=None, aux_loss=False), SEGMENTATION_SIDE
    options = {"googlenet": {"aux_logits": False, "init_weights": True}}.get(name, {})
    return getattr(models, name)(weights=None, **options), 224


def randomise(network):
    """Values that make every channel matter, so that a wrongly removed one is seen."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, NORMALISATIONS):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
            if getattr(module, "running_mean", None) is not None:
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        for name, value in network.named_parameters():
            if value.abs().max() == 0 or name.endswith(("class_token", "pos_embedding")):
                value.uniform_(-0.1, 0.1)
            if name.endswith("layer_scale"):
                value.uniform_(0.5, 1.0)


def export(name, folder):
    path = os.path.join(folder, name + ".pt")
    if os.path.exists(path):
        return
    torch.manual_seed(0)
    network, side = build(name)
    randomise(network)
    network.eval()
    image = torch.randn(1, 3, side, side)
    # With gradients enabled attention is traced as its products, not as one fused inference operator.
    traced = torch.jit.trace(network, image, strict=False, check_trace=False)
    with torch.no_grad():
        output = traced(image)
    output = output["out"] if isinstance(output, dict) else output
    torch.save({"input": image, "output0": output}, path[:-3] + ".io.pt.part")
    os.replace(path[:-3] + ".io.pt.part", path[:-3] + ".io.pt")
    traced.save(path + ".part")
    os.replace(path + ".part", path)  # last: it says that both are complete


def names():
    table = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_counts.csv")
    with open(table, encoding="ascii") as file:
        return [row["model"] for row in csv.DictReader(line for line in file if not line.startswith("#"))]


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in sys.argv[2:] or names():
        export(name, sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
