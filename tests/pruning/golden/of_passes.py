"""Criteria that run passes of their own, and proximal steps."""
import itertools

import numpy
import torch

from evidence import gradients_of, mean_of, members, over, parameters_of
from of_weights import reduced


def taylor_sample(d):
    squares = [[g ** 2 for g in d.total_gate_gradients(k, rows)] for k in range(2) for rows in d.samples(k)]
    return [mean_of(each) for each in zip(*squares)]


def taylor_output(d):
    """The gradient of what is read is the whole one, not only that of one reader."""
    of_samples = []
    for k in range(2):
        for rows in d.samples(k):
            losses, reads = d.losses(k, parameters_of(d.weights), rows)
            products = over(torch.mul, reads, gradients_of(sum(losses), reads))
            of_samples.append([mean_of([positions(products[name], group).mean((0, 2)).abs() for name in group.readers]).detach()
                               for group in d.groups])
    return [scores / torch.sqrt((scores ** 2).sum()) for scores in map(mean_of, zip(*of_samples))]


def of_reads(d, number):
    scores = []
    for group in d.groups:
        found = [number(positions(d.losses(k, {})[1][name], group)) for k in range(2) for name in group.readers]
        scores.append(mean_of(found))
    return scores


def hrank(d):
    scores = []
    for group in d.groups:
        found = []
        for k, name in itertools.product(range(2), group.readers):
            maps = d.losses(k, {})[1][name]
            if maps.dim() == 4:
                found.append(torch.tensor([mean_of([rank(one[c]) / min(one[c].shape) for one in maps]) for c in range(group.width)],
                                          dtype=torch.double))
        scores.append(mean_of(found))
    return scores


def obd(d, normaliser, **counted):
    fisher = over(lambda *each: mean_of(each),
                  *[over(torch.square, d.total_gradients(k, rows)) for k in range(2) for rows in d.samples(k)])
    products = over(lambda w, f: w ** 2 * f, d.only_parameters(), fisher)
    return reduced([[rows.sum(1) for rows in members(group, products, **counted)] for group in d.groups],
                   normaliser=normaliser)


def taylor_second(d):
    """Per mini-batch and group: the gradient and the Hessian's diagonal of the total loss at the gates."""
    found = []
    for k in range(2):
        gates = d.ones()
        losses, _ = d.losses(k, {}, gates=gates)
        gradients = gradients_of(sum(losses), gates, graph=True)
        found.append([])
        for name, gradient in gradients.items():
            seconds = [torch.autograd.grad(each, gates[name], retain_graph=True)[0][c] for c, each in enumerate(gradient)]
            found[-1].append((gradient.detach(), torch.stack(seconds)))
    return found


def second_order(d, number):
    return [mean_of([number(g, h) for g, h in of_batches]) for of_batches in zip(*taylor_second(d))]


def synflow(d):
    neutral = {"running_mean": torch.zeros_like, "running_var": torch.ones_like}
    flow = {name: neutral.get(name.split(".")[-1], torch.abs)(value) for name, value in d.weights.items()}
    gates = d.ones()
    outputs, _ = d.network.forward(flow, torch.ones_like(d.batches[0][0][:1]), gates, False)
    return [each.abs() for each in gradients_of(sum(out.sum() for out in outputs), gates).values()]


def hessian_times_gradient(d, k):
    """Of all parameters, in training mode."""
    weights = parameters_of(d.weights)
    losses, _ = d.losses(k, weights, training=True)
    gradients = gradients_of(sum(losses), weights, graph=True)
    return gradients_of(sum((g * g.detach()).sum() for g in gradients.values()), weights)


def grasp(d, producers=False):
    """Layers and norms count; with `producers` the weight and bias that a channel's gate stands for, or its norm's scale and shift."""
    of_batches = []
    for k in range(2):
        products = over(torch.mul, d.only_parameters(), hessian_times_gradient(d, k))
        sums = []
        for group in d.groups:
            rows = members(group, products)
            if producers:
                names = [name for name in group.producers if name not in group.behind_norm] + group.norms
                rows = [products[name + kind].view(group.width, -1) for name in names for kind in (".weight", ".bias")]
            sums.append(sum(each.sum(1) for each in rows))
        of_batches.append([each / (torch.cat(sums).sum().abs() + 1e-10) for each in sums])
    return [mean_of(each) for each in zip(*of_batches)]


def positions(value, group):
    """[B, C, positions] of what a layer reads."""
    return value.reshape(value.shape[0], group.width, -1)


def rank(matrix):
    values = numpy.linalg.svd(matrix.numpy(), compute_uv=False)
    return float((values > values[0] * max(matrix.shape) * numpy.finfo(numpy.float32).eps).sum())


def proximal(y, metric, strength):
    if numpy.sqrt(((metric * y) ** 2).sum()) <= strength:
        return 0 * y
    low, high = 0.0, numpy.sqrt((y ** 2).sum())
    for _ in range(200):  # with x = y D n / (D n + strength), |x| - n falls from positive to negative
        n = (low + high) / 2
        x = y * metric * n / (metric * n + strength)
        low, high = (n, high) if numpy.sqrt((x ** 2).sum()) > n else (low, n)
    return x


def forms(d):
    return {
        "taylor_sample": taylor_sample(d),
        "taylor_output": taylor_output(d),
        "apoz": of_reads(d, lambda read: (read > 0).double().mean((0, 2))),
        "mean_activation": of_reads(d, lambda read: read.abs().mean((0, 2))),
        "hrank": hrank(d),
        "obd_hessian": obd(d, "mean"),
        "obd_c": obd(d, "none", norms=False, readers=False),
        "taylor_second:draws=0": second_order(d, lambda g, h: (h / 2 - g) ** 2),
        "taylor_second:draws=0,form=curvature": second_order(d, lambda g, h: h),
        "synflow": synflow(d),
        "grasp": grasp(d),
        "grasp:producers": grasp(d, producers=True),
    }
