"""What scores are made of: losses and gradients of a network on its mini-batches, and the slices of its channels."""
import torch


def parameters_of(weights):
    return {name: value.clone().requires_grad_() for name, value in weights.items() if "running" not in name}


def gradients_of(loss, tensors, graph=False):
    names = list(tensors)
    found = torch.autograd.grad(loss, [tensors[name] for name in names], allow_unused=True, retain_graph=True, create_graph=graph)
    return {name: torch.zeros_like(tensors[name]) if value is None else value for name, value in zip(names, found)}


def members(group, tensors, producers=True, norms=True, readers=True):
    """[C, K] per layer or norm: the slices of each channel, one row each. Biases and shifts do not count."""
    rows = []
    if producers:
        rows += [tensors[name + ".weight"].flatten(1) for name in group.producers]
    if norms:
        rows += [tensors[name + ".weight"].view(-1, 1) for name in group.norms]
    if readers:
        rows += [tensors[name + ".weight"].transpose(0, 1).reshape(group.width, -1) for name in group.readers]
    return rows


def over(function, *tensors):
    return {name: function(*(each[name] for each in tensors)) for name in tensors[0]}


def mean_of(values):
    return sum(values) / len(values)


class Evidence:
    """Everything about one network."""

    def __init__(self, network):
        self.network, self.groups = network, network.groups
        self.weights, self.batches = network.read()
        self.tasks = len(network.losses)

    def losses(self, k, weights, rows=slice(None), gates=None, training=False):
        images, targets = self.batches[k]
        outputs, reads = self.network.forward({**self.weights, **weights}, images[rows], gates, training)
        return [loss(out, target[rows]) for loss, out, target in zip(self.network.losses, outputs, targets)], reads

    def ones(self):
        return {group.name: torch.ones(group.width, dtype=torch.double, requires_grad=True) for group in self.groups}

    def samples(self, k):
        return [slice(n, n + 1) for n in range(len(self.batches[k][0]))]

    def gate_gradients(self, k, rows=slice(None)):
        """Per task and group [C]."""
        gates = self.ones()
        losses, _ = self.losses(k, {}, rows, gates)
        return [list(gradients_of(loss, gates).values()) for loss in losses]

    def total_gate_gradients(self, k, rows=slice(None)):
        return [sum(tasks) for tasks in zip(*self.gate_gradients(k, rows))]

    def task_gradients(self, k):
        weights = parameters_of(self.weights)
        losses, _ = self.losses(k, weights)
        return [gradients_of(loss, weights) for loss in losses]

    def total_gradients(self, k, rows=slice(None)):
        weights = parameters_of(self.weights)
        losses, _ = self.losses(k, weights, rows)
        return gradients_of(sum(losses), weights)

    def only_parameters(self):
        return {name: value for name, value in self.weights.items() if "running" not in name}

    def split(self, values):
        return list(values.split([group.width for group in self.groups]))
