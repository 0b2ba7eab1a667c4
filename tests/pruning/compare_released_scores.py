#!/usr/bin/env python3
"""What released code computes on the golden network, beside tests/pruning/golden/scores.json.

    compare_released_scores.py CLONES_FOLDER

CLONES_FOLDER holds clones of your own, those that are wanted, under their repositories' names: Synaptic-Flow (ganguli-lab),
filter-pruning-geometric-median (he-y), HRank (lmbxmu), Taylor_pruning (NVlabs), EigenDamage-Pytorch (alecwangcq), Less-is-More...
(ricupa). Their classes and functions are run as they are, from their files; what only a GPU or an old PyTorch would take is
replaced. Prints a table: largest relative difference from our scores, with their settings and, where these differ, with ours.
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy
import torch
import torch.nn.functional as functional

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden"))
from evidence import Evidence, gradients_of, parameters_of  # noqa: E402
from networks import BATCHES, FOLDER, NETWORKS  # noqa: E402
from released_python import WEIGHTS, Network, batches, defined_in, importing_from, loss_of, on_the_processor  # noqa: E402

GOLDEN = json.loads((FOLDER / "scores.json").read_text())
GROUPS = {"first": ("second",), "second": ("left", "right")}  # and what reads them
ENGINE_NEEDS = {"torch": torch, "nn": torch.nn, "np": numpy, "os": os, "time": time}
ROWS = []


def golden(form, kind="scores"):
    return [torch.tensor(group, dtype=torch.double) for group in GOLDEN["two_tasks"][kind][form]]


def difference(found, expected):
    found, expected = torch.cat([each.double() for each in found]), torch.cat(expected)
    return ((found - expected).abs() / expected.abs().clamp(min=1e-12)).max().item()


def same_order(found, expected):
    return all(torch.equal(a.argsort(), b.argsort()) for a, b in zip(found, expected))


def row(method, settings, form, found, kind="scores", groups=slice(None), scaled=False):
    """`scaled`: only up to a factor, which is fitted."""
    expected = golden(form, kind)[groups]
    found = [each.detach() for each in found]
    if scaled:
        factor = torch.cat(expected).sum() / torch.cat(found).sum()
        found = [each * factor for each in found]
    order = "same order in each layer" if same_order(found, expected) else "another order"
    ROWS.append((method, settings, form, f"{difference(found, expected):.1e}, {order}"))


def over_readers(per_weight):
    """Per group: the sum over the weights that read a channel."""
    return [sum(per_weight[name].transpose(0, 1).flatten(1).sum(1) for name in readers) for readers in GROUPS.values()]


def over_slices(per_weight):
    return [per_weight[name].flatten(1).sum(1) + read for name, read in zip(GROUPS, over_readers(per_weight))]


def with_norm(per_weight):
    first, second = over_slices(per_weight)
    return [first + per_weight["norm"], second]


# One function per repository.

def synaptic_flow(folder):
    with importing_from(folder):
        from Layers import layers
        from Pruners import pruners
        from Utils import generator

        def scores(kind, data, train=False, neutral=False, everything=False, **settings):
            network = Network(layers.Conv2d, layers.BatchNorm2d)
            network.train(train)
            if neutral:
                network.norm.reset_running_stats()
            pruner = kind(generator.masked_parameters(network, bias=everything, batchnorm=everything))
            for name, value in settings.items():
                setattr(pruner, name, value)
            pruner.score(network, loss_of, data, "cpu")
            return {name: pruner.scores[id(getattr(network, name).weight)] for name in ("first", "second", "left", "right")} | \
                {"norm": pruner.scores.get(id(network.norm.weight))}

        row("SNIP", "weights' scores summed over a channel's slices, up to their common sum", "snip:form=sum,task_norm=false",
            over_slices(scores(pruners.SNIP, batches())), scaled=True)
        row("SynFlow", "theirs: with running statistics", "synflow", over_readers(scores(pruners.SynFlow, batches())))
        row("SynFlow", "neutral statistics, weights' scores summed over what reads a channel", "synflow",
            over_readers(scores(pruners.SynFlow, batches(), neutral=True)))
        row("GraSP", "theirs: eval mode, temperature 200, layers' weights alone, gradient of all mini-batches", "grasp",
            over_slices(scores(pruners.GraSP, batches())), scaled=True)
        huge = 1e200  # divides by |sum| + eps: so that no mini-batch's sum matters
        per_batch = [scores(pruners.GraSP, [batch], True, False, True, temp=1, eps=huge) for batch in batches()]
        found = [with_norm(each) for each in per_batch]
        mean = [sum(each) / BATCHES for each in zip(*([group / torch.cat(one).sum().abs() for group in one] for one in found))]
        row("GraSP", "training mode, no temperature, all parameters, each mini-batch by itself and by our sum", "grasp", mean)


def geometric_median(folder):
    import scipy.spatial.distance as distance
    mask = defined_in(folder / "pruning_cifar10.py", ["Mask"], {"np": numpy, "torch": torch, "distance": distance})["Mask"](None)
    found = []
    for name in GROUPS:
        weight, printed = WEIGHTS[name + ".weight"], io.StringIO()
        with on_the_processor(), numpy.printoptions(precision=17, linewidth=1000), contextlib.redirect_stdout(printed):
            mask.get_filter_similar(weight, 1, 0.5, weight.numel())
        text = printed.getvalue()
        order = text.split("filter_large_index [")[1].split("]")[0].split()
        sums = text.split("similar_sum [")[1].split("]")[0].split()
        scores = torch.zeros(len(weight), dtype=torch.double)
        scores[torch.tensor([int(index) for index in order])] = torch.tensor([float(value) for value in sums], dtype=torch.double)
        found.append(scores)
    row("FPGM", "distances of the producing layer's filters", "fpgm:reduction=first,normaliser=none", found)
    row("FPGM", "theirs, against our default over readers too", "fpgm", found, scaled=True)


def hrank(folder):
    torch.matrix_rank = torch.linalg.matrix_rank  # its present name
    found = []
    for gate in ("first_gate", "second_gate"):
        code = defined_in(folder / "rank_generation.py", ["get_feature_hook"], {"torch": torch})
        code.update(feature_result=torch.tensor(0.0), total=torch.tensor(0.0))
        network = Network().float()
        getattr(network, gate).register_forward_hook(code["get_feature_hook"])
        with torch.no_grad():
            for images, _ in batches():
                network(images.float())
        found.append(code["feature_result"] / 6)
    row("HRank", "float32, divided by the largest rank of 6x6 maps", "hrank", found)


def taylor(folder):
    code = defined_in(folder / "pruning_engine.py", ["pytorch_pruning", "prepare_pruning_list", "ExpMeter"], ENGINE_NEEDS)
    with importing_from(folder):
        from layers.gate_layer import GateLayer

    def scores(method, every_batch=False):
        network = Network(gate=lambda width: GateLayer(width, width, [1, -1, 1, 1]))
        settings = {"method": method, "prune_per_iteration": 0, "maximum_pruning_iterations": 9, "pruning_silent": True,
                    "prune_neurons_max": -1}
        with tempfile.TemporaryDirectory() as logs, on_the_processor(), contextlib.redirect_stdout(io.StringIO()):
            parameters = code["prepare_pruning_list"](settings, network, "none")
            engine = code["pytorch_pruning"](parameters, settings, logs)
            for images, targets in batches():
                network.zero_grad()
                loss = loss_of(network(images), targets)
                loss.backward(retain_graph=engine.needs_hessian)
                if engine.needs_hessian:
                    engine.compute_hessian(loss)
                engine.add_criteria()
                if every_batch:
                    engine.compute_saliency()
            if not every_batch:
                engine.compute_saliency()
        return [torch.as_tensor(each) for each in engine.prune_network_accomulate["averaged"]]

    row("Taylor", "method 22 (gates)", "taylor", scores(22))
    row("Taylor", "method 22, an event after each mini-batch, momentum 0.9", "taylor:momentum=0.9", scores(22, True), "after_an_event")
    row("Taylor", "method 0 (weights)", "taylor_weight:form=squared,members=producers,average=scores,normaliser=none", scores(0))
    row("Taylor", "method 23 (per sample), times the 2 samples of a mini-batch", "taylor_sample", [2 * each for each in scores(23)])
    outputs = scores(6)
    row("Taylor", "method 6 (outputs)", "taylor_output", outputs)
    ROWS.append(("Taylor", "method 6 (outputs)", "their order of steps, restated", f"{difference(outputs, restated_outputs()):.1e}"))
    row("Taylor", "method 11 (gates, second order), its Hessian in float32", "taylor_second:draws=0", scores(11))
    row("Taylor", "method 10 (curvature), its Hessian in float32", "taylor_second:draws=0,form=curvature", scores(10))
    row("Taylor", "method 2 (squared weights)", "l2:reduction=first,normaliser=none", scores(2))
    row("Taylor", "method 3 (absolute weights)", "l1:reduction=first,normaliser=none", scores(3))


def restated_outputs():
    """Method 6: absolute values before the mean over positions, and every mini-batch by its own length."""
    evidence, of_batches = Evidence(NETWORKS["two_tasks"]), []
    for k in range(BATCHES):
        losses, reads = evidence.losses(k, parameters_of(evidence.weights))
        read = {name: reads[readers[0]] for name, readers in GROUPS.items()}
        means = [(read[name] * gradient).abs().mean((0, 2, 3)).detach() for name, gradient in gradients_of(sum(losses), read).items()]
        of_batches.append([mean / torch.sqrt((mean ** 2).sum()) for mean in means])
    return [sum(each) / BATCHES for each in zip(*of_batches)]


def taylor_batch_norm(folder):
    """Methods 30 and 31 take the module before each gate; `second` has no batch norm in front of its own."""
    code = defined_in(folder / "pruning_engine.py", ["pytorch_pruning", "ExpMeter"], ENGINE_NEEDS)

    def scores(method):
        network = Network()
        with tempfile.TemporaryDirectory() as logs:
            engine = code["pytorch_pruning"]([{"parameter": network.norm.weight}], {"method": method}, logs)
            for images, targets in batches():
                network.zero_grad()
                loss_of(network(images), targets).backward()
                engine.add_criteria()
        return [engine.prune_network_accomulate["by_layer"][0] / BATCHES]

    first = slice(0, 1)
    row("Taylor", "method 31 (batch norms)", "taylor_bn:shift=false", scores(31), groups=first)
    row("Taylor", "method 30 (scales), up to a factor", "bn_scale", scores(30), groups=first, scaled=True)


def without_bias(layer):
    twin = torch.nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding, bias=False)
    twin.weight = layer.weight
    return twin


def eigen_damage(folder):
    """FisherDiagPruner without the class that it derives from, whose imports are of training."""
    tensors = defined_in(folder / "utils" / "common_utils.py", ["tensor_to_list", "try_contiguous"], {"torch": torch})
    layers = defined_in(folder / "utils" / "kfac_utils.py", ["fetch_mat_weights", "ComputeMatGrad", "_extract_patches"],
                        {**tensors, "nn": torch.nn, "F": functional})
    pruner_class = defined_in(folder / "pruner" / "fisher_diag_pruner.py", ["FisherDiagPruner"],
                              {**layers, "KFACFullPruner": object})["FisherDiagPruner"]

    def scores(bias, samples):
        network = Network()
        layers_here = [network.first, network.second]
        seen = layers_here if bias else [without_bias(layer) for layer in layers_here]
        pruner = pruner_class.__new__(pruner_class)
        pruner.__dict__.update(A={}, DS={}, Fisher={}, W_pruned={}, importances={}, steps=0, batch_averaged=True,
                               MatGradHandler=layers["ComputeMatGrad"](), modules=seen)
        for layer in layers_here:
            layer.register_forward_pre_hook(pruner._save_input)
            layer.register_full_backward_hook(pruner._save_grad_output)
        for images, targets in batches():
            loss_of(network(images.clone().requires_grad_()), targets).backward()
            pruner.A = {there: pruner.A[here] for here, there in zip(layers_here, seen)}
            pruner.DS = {there: pruner.DS[here] for here, there in zip(layers_here, seen)}
            pruner.step()
        pruner.steps *= samples
        pruner._get_unit_importance(normalize=False)
        return [torch.tensor(pruner.importances[layer][0]) for layer in seen]

    row("C-OBD", "theirs: biases count, sums over mini-batches of samples, labels as given", "obd_c", scores(True, 1))
    row("C-OBD", "without biases, divided by samples (their 1e-10 beside the Fisher diagonal remains)", "obd_c", scores(False, 2))


def less_is_more(folder):
    with importing_from(folder / "src"):
        from proxssi.l1_l2 import prox_l1_l2_weighted
        from proxssi.groups.resnet_gp import conv_groups_fn
    for strength, rows in GOLDEN["proximal"]["solutions"].items():
        weight = WEIGHTS["second.weight"].clone()
        metric = torch.tensor(GOLDEN["proximal"]["metric"], dtype=torch.double)
        metric = metric.view(weight.shape[1], weight.shape[0], 3, 3).transpose(0, 1).contiguous()
        prox_l1_l2_weighted(conv_groups_fn([weight]), conv_groups_fn([metric]), lr=1.0, lambda_=float(strength), reweight=False)
        found = list(weight.transpose(0, 1).flatten(1))
        expected = [torch.tensor(values, dtype=torch.double) for values in rows]
        zeros = sum(bool((each == 0).all()) for each in found)
        ROWS.append(("Less is More", f"proximal step, {zeros} of {len(found)} groups zero", f"group_proximal, strength {strength}",
                     f"{difference(found, expected):.1e}"))


REPOSITORIES = {"Synaptic-Flow": [synaptic_flow], "filter-pruning-geometric-median": [geometric_median], "HRank": [hrank],
                "Taylor_pruning": [taylor, taylor_batch_norm], "EigenDamage": [eigen_damage], "Less-is-More": [less_is_more]}


def revision(folder):
    found = subprocess.run(["git", "-C", str(folder), "log", "-1", "--format=%h"], capture_output=True, text=True)
    return found.stdout.strip() or "revision unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=pathlib.Path)
    clones = parser.parse_args().clones
    warnings.simplefilter("ignore")
    torch.set_default_dtype(torch.double)  # of tensors that released code makes itself
    for name, functions in REPOSITORIES.items():
        folder = next((each for each in sorted(clones.iterdir()) if name in each.name), None)
        if folder is None:
            print(f"{name}: not in {clones}")
            continue
        begin = len(ROWS)
        for function in functions:
            function(folder.resolve())
        for each in ROWS[begin:]:
            print(f"| {each[0]} | {folder.name} {revision(folder)} | {each[1]} | `{each[2]}` | {each[3]} |")


if __name__ == "__main__":
    main()
