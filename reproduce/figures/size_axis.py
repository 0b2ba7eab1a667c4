"""The horizontal axis of network sizes: true (logarithmic) or ordinal as published."""
import math

from matplotlib.ticker import FixedLocator, NullLocator

NICE = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]
PUBLISHED_TICK_STEP = 8


def round_ticks(low, high, most=8):
    """Round numbers between low and high, about evenly spaced in the logarithm, largest first."""
    candidates = [nice * 10.0 ** exponent for exponent in range(-6, 7) for nice in NICE]
    inside = sorted((value for value in candidates if low * 0.999 <= value <= high * 1.001), reverse=True)
    if len(inside) < 3:
        return [high - (high - low) * i / 3 for i in range(4)] if high > low else [high]
    gap = math.log(high / low) / most
    ticks = []
    for value in inside:
        if not ticks or math.log(ticks[-1] / value) >= gap:
            ticks.append(value)
    return ticks


class TrueAxis:
    """Parameters in millions on a logarithmic axis, pruning to the right."""

    label = "parameters (millions, log axis)"
    suffix = ""
    note = ""

    def place(self, millions):
        return millions

    def dress(self, axes, sizes):
        low, high = min(sizes), max(sizes)
        axes.set_xscale("log")
        room = (high / low) ** 0.03 if high > low else 1.05
        axes.set_xlim(high * room, low / room)
        axes.xaxis.set_minor_locator(NullLocator())
        ticks = round_ticks(low, high)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.set_xticklabels([f"{tick:.3g}" for tick in ticks])
        axes.set_xlabel(self.label)


class PublishedAxis:
    """Position = rank in the pooled, descending list of all methods' sizes, labels as in the published figure.

    The list holds the dense size once per method, the labels count distinct sizes only; so each label after the first
    belongs to the point one position to the right of its tick (one more for every further repeated size).
    """

    label = "parameters (millions, ordinal axis)"
    suffix = "_paper_axis"
    def __init__(self, sizes):
        self.pooled = sorted(sizes, reverse=True)
        self.distinct = sorted(set(sizes), reverse=True)
        further = "" if len(self.pooled) - len(self.distinct) < 2 else " (further after another repeated size)"
        self.note = ("Ordinal axis as published: positions are ranks in the pooled list of both methods, so distances "
                     "mean nothing;\nas in the published figure, every tick label after the first belongs to the point one "
                     f"position to its right{further}.")

    def place(self, millions):
        """The rank; between two ranks, by the logarithm of the size (for curves of other runs)."""
        if millions >= self.pooled[0]:
            return 0.0
        for rank, size in enumerate(self.pooled):
            if size == millions:
                return float(rank)
            if size < millions:
                above = self.pooled[rank - 1]
                return rank - 1 + math.log(above / millions) / math.log(above / size)
        return float(len(self.pooled) - 1)

    def dress(self, axes, sizes):
        del sizes
        step = max(1, min(PUBLISHED_TICK_STEP, len(self.pooled) // 6))
        ticks = [tick for tick in range(0, len(self.pooled), step) if tick < len(self.distinct)]
        axes.set_xlim(-0.02 * len(self.pooled), 1.01 * (len(self.pooled) - 1))
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.set_xticklabels([f"{self.distinct[tick]:.4g}" for tick in ticks], rotation=45)
        axes.set_xlabel(self.label)
