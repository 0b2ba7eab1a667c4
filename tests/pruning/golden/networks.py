"""The networks of the golden scores, as functions of their weights, and their mini-batches.

A network is `forward(weights, images, gates, training)`: gates multiply what a group's producers put out, behind their batch
norms. It returns the tasks' outputs and, per reading layer, what it reads.
"""
import dataclasses
import pathlib

import numpy
import torch
import torch.nn.functional as functional

FOLDER = pathlib.Path(__file__).parent
BATCHES = 2


@dataclasses.dataclass
class Group:
    """Channels that leave together. Producers have them along dimension 0 of their weights, readers along dimension 1, each
    channel `positions` times in a row (after a flatten)."""
    name: str
    width: int
    producers: list
    readers: dict
    norms: list
    behind_norm: list  # producers that a batch norm follows


@dataclasses.dataclass
class Network:
    file: str
    groups: list
    forward: object
    losses: list

    def read(self):
        """-> weights (parameters and running statistics), mini-batches [(images, targets)]."""
        tensors = torch.load(FOLDER / self.file)
        batches = [(tensors[f"batch{k}.images"], [tensors[f"batch{k}.target{t}"] for t in range(len(self.losses))])
                   for k in range(BATCHES)]
        return {name: tensor for name, tensor in tensors.items() if not name.startswith("batch")}, batches


def squared(output, target):
    return ((output - target) ** 2).mean()


def absolute(output, target):
    return (output - target).abs().mean()


def convolution(weights, name, x):
    weight = weights[name + ".weight"]
    return functional.conv2d(x, weight, weights.get(name + ".bias"), padding=weight.shape[-1] // 2)


def batch_norm(weights, name, x, training):
    if training:
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    else:
        mean, variance = weights[name + ".running_mean"], weights[name + ".running_var"]
    columns = [value.view(1, -1, 1, 1) for value in (mean, variance, weights[name + ".weight"], weights[name + ".bias"])]
    return (x - columns[0]) / torch.sqrt(columns[1] + 1e-5) * columns[2] + columns[3]


def gated(gates, name, x):
    return x if gates is None else x * gates[name].view(1, -1, 1, 1)


def two_tasks(weights, images, gates=None, training=False):
    """first -> batch norm -> ReLU -> second -> ReLU -> left, right (1x1)"""
    reads = {"second": torch.relu(gated(gates, "first", batch_norm(weights, "norm", convolution(weights, "first", images), training)))}
    reads["left"] = reads["right"] = torch.relu(gated(gates, "second", convolution(weights, "second", reads["second"])))
    return [convolution(weights, "left", reads["left"]), convolution(weights, "right", reads["right"])], reads


def residual(weights, images, gates=None, training=False):
    """z = ReLU(stem + batch norm(outer(h))), h = ReLU(inner(stem)); a linear layer of all of z for two tasks, a convolution of h
    for the third."""
    stem = gated(gates, "stem", convolution(weights, "stem", images))
    hidden = torch.relu(gated(gates, "inner", convolution(weights, "inner", stem)))
    outer = gated(gates, "stem", batch_norm(weights, "norm", convolution(weights, "outer", hidden), training))
    reads = {"inner": stem, "outer": hidden, "side": hidden, "last": torch.relu(stem + outer).flatten(1)}
    out = functional.linear(reads["last"], weights["last.weight"], weights["last.bias"])
    return [out[:, :2], out[:, 2:], convolution(weights, "side", reads["side"])], reads


def one_answer(weights, images, gates=None, training=False):
    """The first two layers of two_tasks, the second with one output."""
    reads = {"second": torch.relu(gated(gates, "first", batch_norm(weights, "norm", convolution(weights, "first", images), training)))}
    return [convolution(weights, "second", reads["second"])], reads


NETWORKS = {
    "two_tasks": Network("network.pt", [Group("first", 6, ["first"], {"second": 1}, ["norm"], ["first"]),
                                        Group("second", 5, ["second"], {"left": 1, "right": 1}, [], [])], two_tasks, [squared, absolute]),
    "residual": Network("residual.pt", [Group("stem", 4, ["stem", "outer"], {"inner": 1, "last": 16}, ["norm"], ["outer"]),
                                        Group("inner", 5, ["inner"], {"outer": 1, "side": 1}, [], [])], residual,
                        [squared, absolute, squared]),
    "one_answer": Network("one_answer.pt", [Group("first", 6, ["first"], {"second": 1}, ["norm"], ["first"])], one_answer, [squared]),
}


def write_networks():
    """Weights and mini-batches, drawn once. Channel 3 of `second` and channel 2 of `inner` do not reach one task."""
    draw = numpy.random.default_rng(2023)

    def normal(*shape, scale=0.4):
        return torch.from_numpy(scale * draw.standard_normal(shape))

    def layer(tensors, name, outputs, inputs, side=None):
        tensors[name + ".weight"] = normal(outputs, inputs, *([side, side] if side else []))
        tensors[name + ".bias"] = normal(outputs, scale=0.2)

    def norm(tensors, width):
        tensors.update({"norm.weight": normal(width, scale=0.8), "norm.bias": normal(width, scale=0.2), "norm.running_mean": normal(width, scale=0.2),
                        "norm.running_var": torch.from_numpy(draw.uniform(0.5, 2, width))})

    def batches(tensors, images, targets):
        for k in range(BATCHES):
            tensors[f"batch{k}.images"] = normal(*images, scale=1)
            for t, shape in enumerate(targets):
                tensors[f"batch{k}.target{t}"] = normal(*shape, scale=1)

    tensors = {}
    layer(tensors, "first", 6, 3, 3)
    norm(tensors, 6)
    layer(tensors, "second", 5, 6, 3)
    layer(tensors, "left", 2, 5, 1)
    layer(tensors, "right", 3, 5, 1)
    tensors["left.weight"][:, 3] = 0
    batches(tensors, (2, 3, 6, 6), [(2, 2, 6, 6), (2, 3, 6, 6)])
    torch.save(tensors, FOLDER / "network.pt")

    one = {name: value for name, value in tensors.items() if name.startswith(("first", "norm", "batch")) and "target" not in name}
    one.update({"second.weight": tensors["second.weight"][:1].clone(), "second.bias": tensors["second.bias"][:1].clone()})
    one.update({f"batch{k}.target0": tensors[f"batch{k}.target0"][:, :1].clone() for k in range(BATCHES)})
    torch.save(one, FOLDER / "one_answer.pt")

    tensors = {}
    layer(tensors, "stem", 4, 3, 3)
    layer(tensors, "inner", 5, 4, 3)
    layer(tensors, "outer", 4, 5, 3)
    del tensors["outer.bias"]
    norm(tensors, 4)
    layer(tensors, "side", 2, 5, 1)
    layer(tensors, "last", 3, 4 * 16)
    tensors["side.weight"][:, 2] = 0
    batches(tensors, (2, 3, 4, 4), [(2, 2), (2, 1), (2, 2, 4, 4)])
    torch.save(tensors, FOLDER / "residual.pt")
