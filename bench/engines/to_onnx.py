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


def main():
    source, shape_text, target = sys.argv[1:4]
    import torch

    warnings.filterwarnings("ignore")
    network = torch.jit.load(source, map_location="cpu").eval()
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
