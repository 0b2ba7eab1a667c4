#!/usr/bin/env python3
"""What Torch-Pruning does with the cases of a folder, beside what mtlprune does.

    peer_field_cases.py MTLPRUNE FOLDER --table tests/pruning/peer_field_cases.csv     (Torch-Pruning 1.6.0, PyTorch 1.13)

FOLDER/cases.json lists TorchScript files, example inputs and other sizes at which the files run. Torch-Pruning takes Python
modules only, so it gets the same network as a module (published/field_networks.py) with the file's weights; that both compute
the same is checked first. Ratio 0.5, L2 norm, output layers kept. "left" is the share of parameters that stays.
"""
import argparse
import csv
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings

import torch

from published.field_networks import NETWORKS

COLUMNS = ["case", "Torch-Pruning left", "Torch-Pruning at other sizes", "mtlprune left", "mtlprune at other sizes"]


def draw(spec):
    shape, kind, *high = spec
    return torch.randint(0, high[0], shape) if kind.startswith("int") else torch.randn(*shape)


def arguments_of(name, specs):
    torch.manual_seed(0)
    inputs = [draw(spec) for spec in specs]
    if name == "list_input":
        return ([inputs[0]],)
    return (inputs[0], 2) if name == "int_input" else tuple(inputs)


def tensors_in(output):
    return [output] if torch.is_tensor(output) else [tensor for value in output for tensor in tensors_in(value)]


def last_line(error):
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[-1] if text else ''}"[:110]


def runs(network, name, case, expected):
    """"yes", or what happens at the first other size at which the shape of an output or the run fails."""
    for specs in case.get("others", []):
        inputs = arguments_of(name, specs)
        try:
            with torch.no_grad():
                shapes = [value.shape for value in tensors_in(network(*inputs))]
        except Exception as error:
            return "fails: " + last_line(error)
        with torch.no_grad():
            if shapes != [value.shape for value in tensors_in(expected(*inputs))]:
                return f"outputs of other shapes: {shapes}"
    return "yes" if case.get("others") else "-"


def peer_within(seconds, name, case, path):
    """In a process of its own, because the peer does not end on some networks."""
    pool = multiprocessing.get_context("fork").Pool(1)
    try:
        return pool.apply_async(peer, (name, case, path)).get(seconds)
    except multiprocessing.TimeoutError:
        return f"does not end within {seconds} s", "-"
    finally:
        pool.terminate()


def peer(name, case, path):
    import torch_pruning as tp
    make, heads = NETWORKS[name]
    original = torch.jit.load(path).float().eval()
    network = make().eval()
    network.load_state_dict(original.state_dict())
    inputs = arguments_of(name, case["inputs"])
    with torch.no_grad():
        for a, b in zip(tensors_in(network(*inputs)), tensors_in(original(*inputs))):
            assert torch.allclose(a, b, atol=1e-5), f"{name}: the module is not the file"
    before = sum(value.numel() for value in network.parameters())
    modules, options = dict(network.named_modules()), {}
    if "--whole-heads" in case.get("options", []):
        attention = [module for module in modules.values() if isinstance(module, torch.nn.MultiheadAttention)]
        heads_of = {module: module.num_heads for module in attention} or {modules[key]: 8 for key in "qkv"}
        options = dict(num_heads=heads_of, prune_num_heads=True)
    try:
        pruner = tp.pruner.MagnitudePruner(network, inputs, importance=tp.importance.MagnitudeImportance(p=2), pruning_ratio=0.5,
                                           ignored_layers=[modules[key] for key in heads], **options)
        pruner.step()
    except Exception as error:
        return "fails: " + last_line(error), "-"
    left = f"{sum(value.numel() for value in network.parameters()) / before:.2f}"
    try:
        with torch.no_grad():
            found = [value.shape for value in tensors_in(network(*inputs))]
            if found != [value.shape for value in tensors_in(original(*inputs))]:
                return f"{left}, outputs of other shapes", "-"
    except Exception as error:
        return f"{left}, does not run: {last_line(error)}", "-"
    return left, runs(network, name, case, original)


def ours(program, path, name, case, original):
    def text(spec):
        if name == "list_input":
            return f"[{'x'.join(map(str, spec[0]))}]"
        if name == "int_input" and spec[1] == "int64":
            return "2:int"
        return "x".join(map(str, spec[0])) + (":" + spec[1] if spec[1].startswith("int") else "")

    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "pruned.pt")
        done = subprocess.run([program, "prune-torchscript", path, "--ratio", "0.5", "--out", out, *case.get("options", []),
                               *(word for spec in case["inputs"] for word in ("--input", text(spec)))],
                              capture_output=True, text=True, timeout=300)
        if done.returncode:
            return "refused: " + done.stderr.strip().splitlines()[0].replace("mtlprune: ", "")[:160], "-"
        pruned = torch.jit.load(out).float().eval()
    left = sum(x.numel() for x in pruned.parameters()) / max(1, sum(x.numel() for x in original.parameters()))
    return f"{left:.2f}", runs(pruned, name, case, original)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mtlprune")
    parser.add_argument("folder", help="folder with cases.json and its TorchScript files")
    parser.add_argument("--table", help="CSV file to write")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with open(os.path.join(arguments.folder, "cases.json"), encoding="utf-8") as file:
        cases = json.load(file)
    rows = []
    for name, case in sorted(cases.items()):
        path = os.path.join(arguments.folder, case.get("file", name) + ".pt")
        original = torch.jit.load(path).float().eval()
        rows.append([name, *peer_within(60, name, case, path), *ours(arguments.mtlprune, path, name, case, original)])
        print(" | ".join(rows[-1]), flush=True)
    if arguments.table:
        with open(arguments.table, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
