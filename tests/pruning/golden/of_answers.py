"""Criteria that look at the answers of the layers that read a group: ThiNet, LASSO, PFP."""
import numpy
import torch

from of_passes import positions


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


def terms_of(d, group, name, k):
    """[signs of activations, outputs, answers, C, taps]: what each value that a layer reads adds to an answer, and of which sign."""
    weight, read = d.weights[name + ".weight"], d.losses(k, {})[1][name]
    if weight.dim() == 4:
        patches = torch.nn.functional.unfold(read, weight.shape[-1], padding=weight.shape[-1] // 2)  # [B, C taps, places]
        patches = patches.transpose(1, 2).flatten(0, 1)
    else:
        patches = read
    halves = torch.stack([patches.clamp(min=0), (-patches).clamp(min=0)])
    terms = halves[:, None] * weight.flatten(1)[None, :, None]
    return terms.view(*terms.shape[:3], group.width, -1)


def sensitivities(d, group, name):
    """The largest share of each channel in any answer, its terms by positive and negative weights and activations."""
    largest = torch.zeros(group.width, dtype=torch.double)
    for k in range(2):
        terms = terms_of(d, group, name, k)
        for part in (terms.clamp(min=0), (-terms).clamp(min=0)):
            sums = part.sum((3, 4), keepdim=True)
            shares = torch.where(sums > 1.2e-7, part / sums, torch.zeros_like(part))
            largest = torch.maximum(largest, shares.amax((0, 1, 2, 4)))
    return largest


def pfp(d, delta=1e-16):
    """log10 of the largest error at which a channel stays (the deterministic variant)."""
    scores = []
    for group in d.groups:
        shares, factor = torch.zeros(group.width, dtype=torch.double), 0
        for name in group.readers:
            shares = torch.maximum(shares, sensitivities(d, group, name))
            weight, read = d.weights[name + ".weight"], d.losses(0, {})[1][name]
            places, taps = (read[0, 0].numel(), weight[0, 0].numel()) if weight.dim() == 4 else (1, 1)
            factor = max(factor, 2 * 3 * numpy.log(8 * (places + 1) * taps / delta))
        order, q = shares.argsort(descending=True).tolist(), (shares / shares.sum()).numpy()
        score = torch.zeros(group.width, dtype=torch.double)
        for rank, c in enumerate(order, 1):
            draws = fewest_draws(q, rank)
            score[c] = numpy.log10(error_of(shares.sum().item() * factor, draws - 1 if draws > 1 else 0.5))
        scores.append(score)
    return scores


def fewest_draws(q, distinct):
    """With which so many distinct channels are expected: ceil(sum 1 - (1 - q)^m) of m draws."""
    def expected(m):
        return numpy.ceil((1 - (1 - q) ** m).sum() - 1e-9)
    high = 1
    while expected(high) < distinct:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if expected(middle) >= distinct else (middle, high)
    return high


def error_of(coefficient, draws):
    """3 (6 + 2 error) coefficient / error^2 = draws"""
    b, c = 6 * coefficient, 18 * coefficient
    return (b + numpy.sqrt(b * b + 4 * draws * c)) / (2 * draws)
