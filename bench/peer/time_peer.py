#!/usr/bin/env python3
"""Times Torch-Pruning 1.6.1 on one network of tests/pruning/export_networks.py, and prints one line of JSON.

    time_peer.py NAME [--threads 1] [--criterion l2]

forward: no gradients; init: dependency graph (one forward pass) and counting of groups; step: importance, selection and
removal of half of every group by that criterion (gradients, where it looks at them, are there before). A network that it cannot prune gives {"error": ...}.
"""
import argparse
import json
import os
import statistics
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "pruning"))

warnings.filterwarnings("ignore")
import torch  # noqa: E402
import torch_pruning  # noqa: E402
from export_networks import build, randomise  # noqa: E402


def classifier_layers(network):
    """Layers whose outputs are the network's outputs."""
    if hasattr(network, "backbone") and hasattr(network, "classifier"):
        return [network.classifier[-1]]
    if type(network).__name__ == "SqueezeNet":
        return [network.classifier[1]]
    return [[m for m in network.modules() if isinstance(m, torch.nn.Linear)][-1]]


def heads(network):
    return {m: m.num_heads for m in network.modules() if isinstance(m, torch.nn.MultiheadAttention)}


def timed(function):
    start = time.perf_counter()
    result = function()
    return result, 1e3 * (time.perf_counter() - start)


def importance(criterion):
    kinds = torch_pruning.importance
    return {"l1": lambda: kinds.GroupMagnitudeImportance(p=1), "l2": lambda: kinds.GroupMagnitudeImportance(p=2),
            "bn_scale": kinds.BNScaleImportance, "lamp": kinds.LAMPImportance, "fpgm": kinds.FPGMImportance,
            "taylor_weight": kinds.GroupTaylorImportance}[criterion]()


def measure(name, criterion):
    torch.manual_seed(0)
    network, side = build(name)
    randomise(network)
    network.eval()
    image = torch.randn(1, 3, side, side)
    with torch.no_grad():
        network(image)
        forward = statistics.median(timed(lambda: network(image))[1] for _ in range(3))
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    pruner, init = timed(lambda: torch_pruning.pruner.BasePruner(
        network, (image,), importance=importance(criterion), pruning_ratio=0.5,
        ignored_layers=classifier_layers(network), in_channel_groups={}, out_channel_groups=heads(network)))
    _, step = timed(pruner.step)
    return {"forward": forward, "init": init, "step": step}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--criterion", default="l2")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        result = measure(options.name, options.criterion)
    except Exception as error:  # whatever the peer stumbles over is a result
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"model": options.name, "threads": options.threads, **result}))


if __name__ == "__main__":
    main()
