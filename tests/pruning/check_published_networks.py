#!/usr/bin/env python3
"""Prunes published networks and compares each with what PyTorch computes without the channels that left.

    check_published_networks.py MTLPRUNE [--filter REGEX] [--table FILE.csv] [-- OPTIONS OF prune-torchscript]
    check_published_networks.py build/bin/mtlprune --filter 'timm/(beit|coat)' -- --ratio 0.3 --round-to 8

Networks come from torchvision, timm and transformers, whichever are installed (seen with 0.14, 1.0.31 and 4.46.3, and PyTorch
1.13), and from published/multi_task.py. Each gets random weights, is traced and pruned; then, in Python, all slices that
plan.json lists are set to zero and norms across channels leave out what left: layer, group, RMS and response norms,
standardised weights. The error is the norm of the difference over the norm of the output, on two random inputs, in float32;
in float64 where it exceeds 3e-5, since some networks amplify rounding.

The same at another batch and at another image size or length, unless the traced network itself fails or computes something
else than the network there ("fixed" in the table). Exit code 1 when an error exceeds 3e-5 or a network is refused.
--table continues a table: networks that are right there are not run again. 10 to 60 minutes for all.
"""
import argparse
import csv
import importlib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings

import torch

from published.network import draw
from published.zeroed import MaskedNorms, zero

TOLERANCE = 3e-5
SOURCES = {"torchvision": ["of_torchvision"], "timm": ["of_timm"],
           "transformers": ["of_transformers", "of_transformers_vision"], "multi_task": ["multi_task"]}
COLUMNS = ["network", "parameters", "parameters left", "MACs left", "input", "error", "other batch", "other size",
           "error there", "result"]


def randomise(network):
    """Values that make every channel matter, so that a wrongly removed one is seen."""
    with torch.no_grad():
        for module in network.modules():
            if getattr(module, "running_mean", None) is not None:
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        for value in network.parameters():
            if value.numel() > 0 and value.abs().max() < 1e-3:
                value.uniform_(-0.1, 0.1)
            elif value.numel() > 1 and (value == value.flatten()[0]).all():
                value.mul_(torch.rand(value.shape) + 0.5)
            elif value.dim() > 1:  # many networks start with weights so small that outputs are their biases
                value.mul_(max(1.0, 0.7 / (float(value.std()) * value[0].numel() ** 0.5)))


def tensors_in(output):
    if torch.is_tensor(output):
        return [output]
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else []
    return [tensor for value in values for tensor in tensors_in(value)]


def distance(expected, found):
    """The largest relative difference of two outputs; infinite where their shapes differ."""
    expected, found = tensors_in(expected), tensors_in(found)
    if [value.shape for value in expected] != [value.shape for value in found]:
        return float("inf")
    errors = [float((a.double() - b.double()).norm() / a.double().norm().clamp(min=1e-12)) for a, b in zip(expected, found)]
    return float("inf") if any(map(math.isnan, errors)) else max(errors, default=0.0)


def inputs_for(sizes, seed, dtype=torch.float32):
    torch.manual_seed(seed)
    return [draw(text, dtype) for text in sizes]


def where_traced_runs(network, traced, candidates):
    """The first sizes at which the traced network does what the network does; None if there are none."""
    for sizes in candidates:
        inputs = inputs_for(sizes, 1)
        try:
            if distance(network(*inputs), traced(*inputs)) <= TOLERANCE:
                return sizes
        except Exception:  # a network says that it cannot by whatever it likes
            continue
    return None


class Comparison:
    """The network with zeros against the pruned file."""

    def __init__(self, network, pruned, removed):
        self.network, self.pruned = network, pruned
        self.masks = zero(network, removed)

    def error(self, sizes, seeds=(1,)):
        worst = self._error(sizes, seeds, torch.float32)
        if worst <= TOLERANCE:
            return worst
        try:  # or is it rounding that the network amplifies?
            self.network.double(), self.pruned.double()
            return self._error(sizes, seeds, torch.float64)
        except RuntimeError:  # single precision is written into the network
            return worst
        finally:
            self.network.float(), self.pruned.float()

    def _error(self, sizes, seeds, dtype):
        with MaskedNorms(self.masks).installed(self.network):
            return max(distance(self.network(*inputs), self.pruned(*inputs))
                       for inputs in (inputs_for(sizes, seed, dtype) for seed in seeds))


def prune(program, paths, inputs, options):
    arguments = [word for text in inputs for word in ("--input", text)]
    done = subprocess.run([program, "prune-torchscript", paths[0], *arguments, "--out", paths[1], "--plan", paths[2], *options],
                          capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"refused, exit code {done.returncode}: {done.stderr.strip()}")
    with open(paths[2], encoding="utf-8") as file:
        return json.loads(done.stdout.strip().splitlines()[-1]), json.load(file)["removed"]


def check(entry, program, options, folder):
    torch.manual_seed(0)
    network = entry.make().eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    randomise(network)
    paths = [os.path.join(folder, name) for name in ("network.pt", "pruned.pt", "plan.json")]
    traced = torch.jit.trace(network, tuple(inputs_for(entry.inputs, 0)), strict=False, check_trace=False)
    traced.save(paths[0])
    others = [where_traced_runs(network, traced, candidates) for candidates in (entry.other_batches(), entry.other_sizes())]
    del traced
    report, removed = prune(program, paths, entry.inputs, options)
    before, after = report["before"], report["after"]
    row = {"parameters": before["parameters"], "parameters left": f"{after['parameters'] / before['parameters']:.3f}",
           "MACs left": f"{after['macs'] / before['macs']:.3f}", "input": " ".join(entry.inputs)}
    comparison = Comparison(network, torch.jit.load(paths[1]), removed)
    error = comparison.error(entry.inputs, seeds=(1, 2))
    row["error"], wrong = f"{error:.1e}", ["wrong"] if error > TOLERANCE else []
    errors = []
    for name, sizes in zip(("other batch", "other size"), others):
        row[name] = "fixed" if sizes is None else " ".join(sizes)
        try:
            errors += [] if sizes is None else [comparison.error(sizes)]
            wrong += ["wrong at the " + name] if errors and sizes is not None and errors[-1] > TOLERANCE else []
        except RuntimeError as failure:
            wrong.append(f"fails at the {name}: " + str(failure).strip().splitlines()[-1])
    row["error there"] = f"{max(errors):.1e}" if errors else ""
    row["result"] = "; ".join(wrong) or "right"
    return row


def entries():
    for package, sources in SOURCES.items():
        if package != "multi_task" and importlib.util.find_spec(package) is None:
            print(f"{package} is not installed: skipped")
            continue
        for source in sources:
            for entry in importlib.import_module("published." + source).networks():
                yield f"{package}/{entry.name}", entry


def read_table(path):
    if not path or not os.path.exists(path):
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["network"]: row for row in csv.DictReader(file)}


def write_table(path, rows):
    with open(path + ".new", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mtlprune")
    parser.add_argument("--filter", default="", help="regular expression, on PACKAGE/NETWORK")
    parser.add_argument("--table", help="CSV file to write or continue")
    own = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    arguments, options = parser.parse_args(own), sys.argv[2 + len(own):]
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    every, rows = dict(entries()), read_table(arguments.table)
    wanted = {name: entry for name, entry in every.items() if re.search(arguments.filter, name)}
    remaining = [name for name in wanted if rows.get(name, {}).get("result") != "right"]
    start = time.monotonic()
    for done, name in enumerate(remaining):
        try:
            with tempfile.TemporaryDirectory() as folder, torch.jit.optimized_execution(False):
                row = check(wanted[name], arguments.mtlprune, options, folder)
        except Exception as error:  # packages raise whatever they like; the next network is to be checked all the same
            row = {"result": str(error).strip().partition("\n")[0]}
        rows[name] = {"network": name, **row}
        left = (time.monotonic() - start) / (done + 1) * (len(remaining) - done - 1) / 60
        print(f"{done + 1}/{len(remaining)}, {left:.0f} min left:", *rows[name].values(), flush=True)
        if arguments.table:
            write_table(arguments.table, [rows[name] for name in every if name in rows])
    wrong = [name for name in wanted if rows[name]["result"] != "right"]
    ran = {column: sum(rows[name].get(column, "") not in ("", "fixed") for name in wanted)
           for column in ("other batch", "other size")}
    print(f"{len(wanted)} networks, {ran['other batch']} at another batch too, {ran['other size']} at another size too, "
          f"{len(wrong)} wrong or refused", *wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
