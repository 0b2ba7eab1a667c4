"""Criteria of gradients; two mini-batches were observed, unless other ones are named."""
import itertools

import numpy
import torch

from evidence import mean_of, members, over, parameters_of
from of_weights import reduced


def taylor(d, batches=(0, 1)):
    return [mean_of(squares) for squares in zip(*([g ** 2 for g in d.total_gate_gradients(k)] for k in batches))]


def taylor_never_cleared(d):
    """The gates' gradients pile up: 2 G of the mini-batch itself and 3 G of every earlier one."""
    first, second = d.total_gate_gradients(0), d.total_gate_gradients(1)
    return [((2 * a) ** 2 + (3 * a + 2 * b) ** 2) / 2 for a, b in zip(first, second)]


def taylor_bn(d, batches=(0, 1), shift=True):
    scores = taylor(d, batches)
    for i, group in enumerate(d.groups):
        if not group.norms:
            continue
        of_batches = []
        for k in batches:
            products = over(torch.mul, parameters_of(d.weights), d.total_gradients(k))
            of_batches.append(sum(products[name + ".weight"] + (products[name + ".bias"] if shift else 0)
                                  for name in group.norms).detach() ** 2)
        scores[i] = mean_of(of_batches)
    return scores


def taylor_weight(d, form="absolute", which="all", average="gradients", normaliser="mean", batches=(0, 1)):
    one_row = {"absolute": lambda rows: rows.abs().sum(1), "squared": lambda rows: (rows ** 2).sum(1),
               "multivariable": lambda rows: rows.sum(1).abs()}[form]
    counted = {"all": {}, "layers": {"norms": False}, "producers": {"norms": False, "readers": False}}[which]
    gradients = [d.total_gradients(k) for k in batches]
    if average == "gradients":
        gradients = [over(lambda *values: mean_of(values), *gradients)]
    scores = []
    for group in d.groups:
        of_batches = [[one_row(rows) for rows in members(group, over(torch.mul, d.only_parameters(), each), **counted)]
                      for each in gradients]
        scores.append([mean_of(member) for member in zip(*of_batches)])
    return reduced(scores, normaliser=normaliser)


def task_taylor_values(d, power=2):
    """[T, channels of all groups]: mean over mini-batches of |dL_t/dgate|^power."""
    return mean_of([torch.stack([torch.cat(groups) for groups in d.gate_gradients(k)]).abs() ** power for k in range(2)])


def divided(d, values, by):
    if by == "layer":
        layers = [layer / torch.sqrt((layer ** 2).sum(1, keepdim=True)) for layer in
                  values.split([group.width for group in d.groups], 1)]
        return torch.cat(layers, 1)
    return values / {"sum": values.sum(1, keepdim=True), "mean": values.mean(1, keepdim=True), "none": 1}[by]


def task_taylor(d, combine="max", by="sum"):
    values = task_taylor_values(d)
    if combine == "rank":
        return d.split(mean_of([ranks(each) for each in values]))
    values = divided(d, values, by)
    return d.split(values.max(0).values if combine == "max" else values.sum(0))


def snip(d, form="gate", task_norm=True, absolute_batches=False, normalise=True):
    per_batch = []
    for k in range(2):
        if form == "gate":
            per_batch.append(torch.stack([torch.cat(groups) for groups in d.gate_gradients(k)]))
        else:
            per_batch.append([over(torch.mul, d.only_parameters(), each) for each in d.task_gradients(k)])
    if form == "gate":
        if not task_norm:
            per_batch = [each.sum(0, keepdim=True) for each in per_batch]
        values = mean_of([each.abs() for each in per_batch]) if absolute_batches else mean_of(per_batch).abs()
    else:
        products = [over(lambda a, b: (a + b) / 2, *tasks) for tasks in zip(*per_batch)]
        if not task_norm:
            products = [over(lambda *each: sum(each), *products)]
        values = torch.stack([torch.cat([weight_sum(d, group, each, form) for group in d.groups]) for each in products])
    if task_norm:
        values = values / values.sum(1, keepdim=True)
    values = values.sum(0)
    return d.split(values / values.sum() if normalise else values)


def disparse(d, form="gate", vote=max):
    """1 - rank / number of channels of the task (0 is its best; 0 where its score is 0); `vote` over tasks."""
    values = 0
    for k in range(2):
        if form == "gate":
            values = values + torch.stack([torch.cat(groups) for groups in d.gate_gradients(k)]).abs()
        else:
            products = [over(torch.mul, d.only_parameters(), each) for each in d.task_gradients(k)]
            values = values + torch.stack([torch.cat([filter_gradients(d, group, each).abs().sum(1) for group in d.groups])
                                           for each in products])
    kept = [[1 - (task > score).sum().item() / len(task) if score > 0 else 0.0 for score in task] for task in values]
    return d.split(torch.tensor([vote(tasks) for tasks in zip(*kept)], dtype=torch.double))


def weight_sum(d, group, products, form):
    """Weights of 0 are masked: they do not count for the mean."""
    sums = torch.cat(members(group, products, norms=False), 1).abs().sum(1)
    return sums if form == "sum" else sums / (torch.cat(members(group, d.weights, norms=False), 1) != 0).sum(1)


def filter_gradients(d, group, gradients):
    return torch.cat(members(group, gradients, norms=False, readers=False), 1)


def cosprune(d, pair=None, of_averages=False, reversed=False, zero=0.0):
    pairs = [pair] if pair else list(itertools.combinations(range(d.tasks), 2))
    observed = [d.task_gradients(k) for k in range(2)]
    if of_averages:
        observed = [[over(lambda a, b: (a + b) / 2, *task) for task in zip(*observed)]]
    scores = []
    for group in d.groups:
        of_batches = []
        for tasks in observed:
            filters = [filter_gradients(d, group, each) for each in tasks]
            of_batches.append(torch.stack([mean_cosine([each[c] for each in filters], pairs, zero)
                                           for c in range(group.width)]))
        scores.append(mean_of(of_batches) * (-1 if reversed else 1))
    return scores


def mean_cosine(vectors, pairs, zero):
    cosines = [cosine(vectors[i], vectors[j], zero) for i, j in pairs]
    cosines = [each for each in cosines if each is not None]
    return mean_of(cosines) if cosines else torch.tensor(0.0, dtype=torch.double)


def conflict_of(d):
    pairs = list(itertools.combinations(range(d.tasks), 2))
    mean = [over(lambda a, b: (a + b) / 2, *task) for task in zip(d.task_gradients(0), d.task_gradients(1))]
    conflicts = []
    for group in d.groups:
        filters = [filter_gradients(d, group, each) for each in mean]
        for c in range(group.width):
            cosines = [cosine(filters[i][c], filters[j][c], None) for i, j in pairs]
            cosines = [max(0.0, -each.item()) for each in cosines if each is not None]
            conflicts.append(mean_of(cosines) if cosines else 0.0)
    return torch.tensor(conflicts, dtype=torch.double)


def safe_values(d, penalising, aggregate, power, penalty=0.2):
    values = divided(d, task_taylor_values(d, power), "mean")
    importance = values.max(0).values if aggregate == "max" else values.mean(0)
    conflict = conflict_of(d)
    return {"subtract": ranks(importance) - penalty * conflict, "multiply": importance * (1 - penalty * conflict),
            "raw": importance - penalty * conflict}[penalising]


def safe_pruning(d, penalising="subtract", aggregate="max", power=2):
    return d.split(safe_values(d, penalising, aggregate, power))


def safe_order(d, penalising="subtract", aggregate="max", power=2, share=0.2):
    """Each task's best ceil(share C) channels of a layer leave last; those first that a halved share, the same of all layers, no
    longer holds."""
    scores, values = safe_values(d, penalising, aggregate, power), divided(d, task_taylor_values(d, power), "mean")
    keys, begin = [], 0
    for g, group in enumerate(d.groups):
        layer = values[:, begin:begin + group.width]
        for c in range(group.width):
            halvings, now = 0, share
            while now > share / 16 and any(c in best(task, int(numpy.ceil(now * group.width - 1e-12))) for task in layer):
                halvings, now = halvings + 1, now / 2
            keys.append((halvings, scores[begin + c].item(), g, c))
        begin += group.width
    return [[g, c] for _, _, g, c in sorted(keys)]


def ranks(values):
    """In [0, 1]; equal values share the mean of their ranks."""
    return torch.tensor([((values < v).sum() + ((values == v).sum() - 1) / 2).item() / (len(values) - 1) for v in values],
                        dtype=torch.double)


def cosine(a, b, zero):
    lengths = torch.sqrt((a ** 2).sum() * (b ** 2).sum())
    if lengths == 0:
        return None if zero is None else torch.tensor(zero, dtype=torch.double)
    return (a * b).sum() / lengths


def best(values, count):
    """The highest `count` of a layer's channels that are not 0."""
    order = sorted(range(len(values)), key=lambda c: -values[c].item())
    return [c for c in order[:count] if values[c] > 0]


def forms(d):
    return {
        "taylor": taylor(d),
        "taylor:window=false,accumulate_gates": taylor_never_cleared(d),
        "taylor_bn": taylor_bn(d),
        "taylor_bn:shift=false": taylor_bn(d, shift=False),
        "taylor_weight": taylor_weight(d),
        "taylor_weight:form=squared": taylor_weight(d, "squared"),
        "taylor_weight:form=multivariable": taylor_weight(d, "multivariable"),
        "taylor_weight:members=layers": taylor_weight(d, which="layers"),
        "taylor_weight:form=squared,members=producers,average=scores,normaliser=none":
            taylor_weight(d, "squared", "producers", "scores", "none"),
        "task_taylor": task_taylor(d),
        "task_taylor:combine=sum": task_taylor(d, "sum"),
        "task_taylor:combine=sum,task_normaliser=layer": task_taylor(d, "sum", "layer"),
        "task_taylor:combine=rank": task_taylor(d, "rank"),
        "task_taylor:task_normaliser=mean": task_taylor(d, "max", "mean"),
        "task_taylor:task_normaliser=none": task_taylor(d, "max", "none"),
        "snip": snip(d),
        "snip:absolute_batches": snip(d, absolute_batches=True),
        "snip:task_norm=false": snip(d, task_norm=False),
        "snip:task_norm=false,absolute_batches,normalise=false": snip(d, "gate", False, True, False),
        "snip:form=sum": snip(d, "sum"),
        "snip:form=sum,task_norm=false": snip(d, "sum", False),
        "snip:form=mean,task_norm=false": snip(d, "mean", False),
        "cosprune": cosprune(d),
        "cosprune:reversed": cosprune(d, reversed=True),
        "cosprune:of_averages": cosprune(d, of_averages=True),
        "cosprune:pair=[0,1]": cosprune(d, (0, 1)),
        "cosprune:zero_gradient=left_out": cosprune(d, zero=None),
        "disparse": disparse(d),
        "disparse:vote=any": disparse(d, vote=min),
        "disparse:form=abs": disparse(d, "abs"),
        "safe_pruning:protect=0.0": safe_pruning(d),
        "safe_pruning:penalising=multiply,protect=0.0": safe_pruning(d, "multiply"),
        "safe_pruning:penalising=raw,aggregate=mean,absolute,protect=0.0": safe_pruning(d, "raw", "mean", 1),
    }


def forms_after_an_event(d):
    """After mini-batch 0, an event that takes nothing, and mini-batch 1."""
    def moved(form):
        return [0.9 * a + 0.1 * b for a, b in zip(form((0,)), form((1,)))]

    return {
        "taylor": taylor(d, (1,)),
        "taylor:window=false": taylor(d, (0, 1)),
        "taylor:momentum=0.9": moved(lambda batches: taylor(d, batches)),
        "taylor_bn:momentum=0.9": moved(lambda batches: taylor_bn(d, batches)),
        "taylor_weight:average=scores,normaliser=none,momentum=0.9":
            moved(lambda batches: taylor_weight(d, average="scores", normaliser="none", batches=batches)),
    }
