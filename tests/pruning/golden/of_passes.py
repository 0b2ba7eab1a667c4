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


def answers_of(d, name):
    """What each channel of the group adds to every answer of a layer: [answers, C]."""
    group = next(group for group in d.groups if name in group.readers)
    weight, found = d.weights[name + ".weight"], []
    for k in range(2):
        maps = d.losses(k, {})[1][name]
        alone = []
        for c in range(group.width):
            only = torch.zeros_like(maps)
            only[:, c] = maps[:, c]
            alone.append(torch.nn.functional.conv2d(only, weight, padding=weight.shape[-1] // 2).flatten())
        found.append(torch.stack(alone, 1))
    return torch.cat(found)


def thinet(d):
    """When a channel leaves: each time the one whose leaving keeps the squared sum of all that left smallest."""
    scores = []
    for group in d.groups:
        answers, gone = torch.cat([answers_of(d, name) for name in group.readers]), []
        while len(gone) < group.width:
            rest = [c for c in range(group.width) if c not in gone]
            gone.append(min(rest, key=lambda c: (answers[:, gone + [c]].sum(1) ** 2).sum().item()))
        scores.append(torch.tensor([gone.index(c) for c in range(group.width)], dtype=torch.double))
    return scores


def lasso_entries(d):
    """Per group the largest penalty, by the one that leaves nothing, at which the LASSO has the channel, on a grid of 100; times
    1 + 1e-6 |b| for the order of channels that enter together."""
    scores = []
    for group in d.groups:
        answers = torch.cat([answers_of(d, name) for name in group.readers]).numpy()
        answers = answers - answers.mean(0)
        gram = answers.T @ answers / len(answers)
        target = gram.sum(1)
        entry, b = numpy.zeros(group.width), numpy.zeros(group.width)
        for share in numpy.geomspace(1, 1e-6, 101)[1:]:
            b = lasso(gram, target, share * abs(target).max(), b)
            entry = numpy.where((entry == 0) & (b != 0), share * (1 + 1e-6 * abs(b)), entry)
        scores.append(torch.from_numpy(entry))
    return scores


def lasso(gram, target, penalty, start):
    """argmin_b 1/2 b'Gb - t'b + penalty |b|_1 by coordinate descent."""
    b, change = start.copy(), 1
    while change > 1e-13:
        before = b.copy()
        for c in range(len(b)):
            rest = target[c] - gram[c] @ b + gram[c, c] * b[c]
            b[c] = numpy.sign(rest) * max(abs(rest) - penalty, 0) / gram[c, c]
        change = abs(b - before).max()
    return b


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
        "synflow": synflow(d),
        "grasp": grasp(d),
        "grasp:producers": grasp(d, producers=True),
    }
