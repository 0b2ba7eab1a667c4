"""Levels that networks are measured against: the dense networks and the best predictions that ignore the image."""
import math

from matplotlib.lines import Line2D

from style import DENSE_COLOUR, PREDICTOR_COLOUR
from tables import mean_sd

DENSE = {"color": DENSE_COLOUR, "ls": ":", "lw": 1.3, "zorder": 2.5}  # over a predictor of the same level
# field of Results and line of the table: name for readers, look
PREDICTORS = {
    "constant": ("constant predictor", {"color": PREDICTOR_COLOUR, "ls": "-.", "lw": 1.3}),
    "position": ("position-only predictor", {"color": PREDICTOR_COLOUR, "ls": (0, (9, 2.5)), "lw": 1.3}),
}
LARGEST_GAP = 0.6  # of the height that networks take: a predictor farther off is named below the figure


def draw_references(axes, results, metric, values, log, sizes):
    """Draws the levels; returns [(line, note)] of the predictors that are off the scale of `values`."""
    scaled = results.metrics[metric].scaled
    ends = (max(sizes), min(sizes))
    mean, sd = mean_sd([row[metric] for row in results.dense])
    dense = scaled(mean)
    axes.axhline(dense, **DENSE)
    log.add(metric, "dense", [(x, dense, scaled(sd), len(results.dense)) for x in ends])
    low, high = min(values + [dense]), max(values + [dense])
    off_scale = []
    for line, (_, look) in PREDICTORS.items():
        level = scaled(getattr(results, line).get(metric, math.nan))
        if math.isnan(level):
            continue
        log.add(metric, line, [(x, level, math.nan, 1) for x in ends])
        if low - LARGEST_GAP * (high - low) <= level <= high + LARGEST_GAP * (high - low):
            axes.axhline(level, **look)
        else:
            off_scale.append((line, f"{results.metrics[metric].label.lower()} {level:.3g}"))
    return off_scale


def reference_handles(results):
    """Of the legend; a predictor that the results do not have is left out."""
    known = [look | {"label": name} for line, (name, look) in PREDICTORS.items() if getattr(results, line)]
    return [Line2D([], [], **look) for look in [DENSE | {"label": "dense"}, *known]]


def off_scale_note(off_scale):
    """Lines for the footnote, each after a line break."""
    text = ""
    for line, (name, _) in PREDICTORS.items():
        outside = [note for of_line, note in off_scale if of_line == line]
        if outside:
            text += f"\n{name.capitalize()} off the scale: " + ", ".join(outside) + "."
    return text
