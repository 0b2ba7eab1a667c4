#!/usr/bin/env python3
"""Which interval should decide? Simulated pairs of runs, three intervals, how often each excludes the tolerance.

    /usr/bin/python3 bench/compare/choose_interval.py      (a minute and a half; needs numpy and scipy)

One line per kind of noise and number of pairs: for each interval the share of 400 samples whose lower bound at a one-sided
level of 0.0025 lies above 1 %, when the new side is slower by 0, 1, 3 and 5 %. At 0 and 1 % it should be at most 0.0025.
"""
import numpy as np
from scipy.stats import norm

LEVEL, TOLERANCE, SAMPLES = 0.0025, np.log(1.01), 400
random = np.random.default_rng(1)


def signed_rank(d):
    n = len(d)
    first, second = np.triu_indices(n)
    averages = np.sort((d[first] + d[second]) / 2)
    probability = np.zeros(n * (n + 1) // 2 + 1)
    probability[0] = 1
    for rank in range(1, n + 1):
        with_rank = probability * 0.5
        with_rank[rank:] += probability[:-rank] * 0.5
        probability = with_rank
    outside = np.searchsorted(np.cumsum(probability), LEVEL, side='right') - 1
    return averages[outside] if outside >= 0 else -np.inf


def sign_flips(d, draws=4095):
    """Means of random subsets, which is the test of random sign flips turned round."""
    subsets = random.random((draws, len(d))) < 0.5
    means = np.sort(subsets @ d / np.maximum(subsets.sum(1), 1))
    return means[int(np.floor(LEVEL * (draws + 1))) - 1]


def bca(d, draws=2000):
    n, mean = len(d), d.mean()
    means = d[random.integers(0, n, (draws, n))].mean(1)
    bias = norm.ppf(np.clip((means < mean).mean(), 0.001, 0.999))
    without = (d.sum() - d) / (n - 1)
    skew = without.mean() - without
    acceleration = (skew ** 3).sum() / (6 * (skew ** 2).sum() ** 1.5)
    z = bias + norm.ppf(LEVEL)
    return np.quantile(means, norm.cdf(bias + z / (1 - acceleration * z)))


def pairs(kind, n):
    """log(new / base) of n rounds of one program against itself, in drawn order."""
    runs = random.normal(0, 0.02 if kind == 'normal' else 0.01, (n, 2))
    if kind == 'two states':
        runs += 0.04 * (random.random((n, 2)) < 0.3)
    if kind == 'bursts':
        runs += (random.random((n, 2)) < 0.15) * random.exponential(0.15, (n, 2))
    if kind == 'autocorrelated':
        related = np.zeros(2 * n)
        for t in range(1, 2 * n):
            related[t] = 0.9 * related[t - 1] + random.normal(0, 0.01)
        runs += related.reshape(n, 2)
    return (runs[:, 1] - runs[:, 0]) * np.where(random.random(n) < 0.5, 1, -1)


def main():
    for kind in ('normal', 'two states', 'bursts', 'autocorrelated'):
        for n in (16, 32):
            samples = [pairs(kind, n) for _ in range(SAMPLES)]
            line = f'{kind:15} {n} pairs'
            for interval in (signed_rank, sign_flips, bca):
                found = [np.mean([interval(d + np.log1p(slower)) > TOLERANCE for d in samples]) for slower in (0, 0.01, 0.03, 0.05)]
                line += f'  {interval.__name__} ' + ' '.join(f'{share:.4f}' for share in found)
            print(line, flush=True)


if __name__ == '__main__':
    main()
