#!/usr/bin/env python3
"""A TorchScript file as ONNX, for images of exactly one shape.

    python3 bench/engines/to_onnx.py NETWORK.pt 1x3x321x321 NETWORK.onnx

Needs PyTorch (1.13 will do). Writes one line on standard output once the file is complete. Folding batch norms and
choosing layouts is left to what runs the file.
"""
import inspect
import os
import sys
import warnings

OPSET = 16
PLANAR = ["aten::conv2d", "aten::convolution", "aten::_convolution", "aten::max_pool2d", "aten::avg_pool2d"]


def pair_lists(graph):
    """C++ may write [2] for a stride in both directions where PyTorch's exporter needs [2, 2]."""
    for name in PLANAR:
        for node in graph.findAllNodes(name):
            for value in node.inputs():
                sizes = value.node()
                if sizes.kind() == "prim::ListConstruct" and sizes.inputsSize() == 1:
                    sizes.addInput(sizes.inputsAt(0))


def main():
    sys.tracebacklimit = 0  # who starts this shows its last words
    source, shape_text, target = sys.argv[1:4]
    import torch

    warnings.filterwarnings("ignore")
    network = torch.jit.load(source, map_location="cpu").eval()
    pair_lists(network.graph)
    image = torch.zeros([int(size) for size in shape_text.split("x")])
    options = {"opset_version": OPSET, "input_names": ["image"]}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # the other exporter reads no TorchScript
    with torch.no_grad():
        torch.onnx.export(network, (image,), target + ".part", **options)
    os.replace(target + ".part", target)
    print("written", flush=True)


if __name__ == "__main__":
    main()
