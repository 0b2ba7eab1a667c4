"""Criteria that look at weights alone, and how the members of a group become one number per channel."""
import torch

from evidence import mean_of, members

REDUCTIONS = {"mean": mean_of, "sum": sum, "first": lambda values: values[0],
              "max": lambda values: torch.stack(values).max(0).values}


def lamp(scores):
    order, out = scores.argsort(), torch.zeros_like(scores)
    for place, channel in enumerate(order):
        out[channel] = scores[channel] / sum(scores[other] for other in order[place:])
    return out


NORMALISERS = {"mean": lambda scores: scores / scores.mean(), "sum": lambda scores: scores / scores.sum(), "lamp": lamp,
               "max": lambda scores: scores / scores.max(), "none": lambda scores: scores}


def reduced(values, reduction="mean", normaliser="mean"):
    """Per group a list of [C], one per member -> per group [C]."""
    return [NORMALISERS[normaliser](REDUCTIONS[reduction](list(each))) for each in values]


def magnitude(d, power, reduction="mean", normaliser="mean"):
    return reduced([[(rows.abs() ** power).sum(1) for rows in members(group, d.weights)] for group in d.groups],
                   reduction, normaliser)


def bn_scale(d):
    scores = magnitude(d, 2)
    for i, group in enumerate(d.groups):
        if group.norms:
            scores[i] = reduced([[d.weights[name + ".weight"].abs() for name in group.norms]])[0]
    return scores


def fpgm(d, of_squares=False, reduction="mean", normaliser="mean"):
    values = []
    for group in d.groups:
        values.append([])
        for rows, count in zip(members(group, d.weights, norms=False), [1] * len(group.producers) + list(group.readers.values())):
            if of_squares:  # every column of a flattened layer by itself, among all columns
                rows = rows.view(group.width * count, -1) ** 2
            distances = torch.stack([sum(torch.sqrt(((row - other) ** 2).sum()) for other in rows) for row in rows])
            values[-1].append(distances.view(group.width, -1).sum(1))
    return reduced(values, reduction, normaliser)


def forms(d):
    return {
        "l1": magnitude(d, 1),
        "l1:reduction=first,normaliser=none": magnitude(d, 1, "first", "none"),
        "l1:reduction=sum,normaliser=max": magnitude(d, 1, "sum", "max"),
        "l2": magnitude(d, 2),
        "l2:reduction=max,normaliser=none": magnitude(d, 2, "max", "none"),
        "l2:reduction=first,normaliser=none": magnitude(d, 2, "first", "none"),
        "l2:reduction=first,normaliser=sum": magnitude(d, 2, "first", "sum"),
        "bn_scale": bn_scale(d),
        "lamp": magnitude(d, 2, "mean", "lamp"),
        "fpgm": fpgm(d),
        "fpgm:of_squares": fpgm(d, of_squares=True),
        "fpgm:reduction=first,normaliser=none": fpgm(d, reduction="first", normaliser="none"),
    }
