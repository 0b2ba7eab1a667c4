"""Figure 2: remaining parameters by pruning event, and the layers' average gradient cosine."""
import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from style import criterion_label, finish, look_of, save
from tables import LineLog, mean_sd, over_seeds


def draw_sizes(axes, results, paper, log):
    paper.draw_events(axes, results.criteria)
    for criterion in results.criteria:
        colour, _ = look_of(results.criteria, criterion)
        rows = [row for row in results.iterative if row["criterion"] == criterion]
        points = [(event, mean / 1e6, 0 if math.isnan(sd) else sd / 1e6)
                  for event, _, mean, sd, _ in over_seeds(rows, "event", "parameters", "parameters")]
        x, y, sd = (list(column) for column in zip(*points))
        axes.fill_between(x, [a - b for a, b in zip(y, sd)], [a + b for a, b in zip(y, sd)], color=colour, alpha=0.18,
                          lw=0)
        axes.plot(x, y, color=colour)
        log.add("parameters_millions", criterion,
                [(event, mean / 1e6, sd / 1e6, n)
                 for event, _, mean, sd, n in over_seeds(rows, "event", "parameters", "parameters")])
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("pruning events")
    axes.set_title("Remaining parameters (millions)", loc="left", fontweight="bold")


def cosine_grid(results, criterion, log):
    """Events, layers and the mean over seeds [layers, events] (NaN where no seed has a value)."""
    rows = [row for row in results.cosine if row["criterion"] == criterion]
    events = sorted({int(row["event"]) for row in rows})
    layers = sorted({int(row["layer"]) for row in rows})
    grid = np.full((len(layers), len(events)), np.nan)
    for i, layer in enumerate(layers):
        points = []
        for j, event in enumerate(events):
            values = [row["average_cosine"] for row in rows if row["layer"] == layer and row["event"] == event
                      and math.isfinite(row["average_cosine"])]
            if values:
                mean, sd = mean_sd(values)
                grid[i, j] = mean
                points.append((event, mean, sd, len(values)))
        log.add("average_cosine", f"layer {layer}", points)
    return events, layers, grid


def draw_cosine(figure, axes, results, log):
    if not results.cosine:
        axes.axis("off")
        axes.text(0.5, 0.5, "no cosines recorded in this run", ha="center", va="center", color="#555555")
        return
    names = list(dict.fromkeys(row["criterion"] for row in results.cosine))
    criterion = "cosprune" if "cosprune" in names else names[-1]
    events, layers, grid = cosine_grid(results, criterion, log)
    finite = np.abs(grid[np.isfinite(grid)])
    limit = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    axes.set_facecolor("#d0d0d0")
    axes.grid(False)
    step = min(b - a for a, b in zip(events, events[1:])) if len(events) > 1 else 1
    edges = [event - step / 2 for event in events] + [events[-1] + step / 2]
    image = axes.pcolormesh(edges, [layer - 0.5 for layer in layers] + [layers[-1] + 0.5], grid, cmap="RdBu",
                            vmin=-limit, vmax=limit, rasterized=True)
    axes.invert_yaxis()
    axes.set_yticks(layers)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("pruning events")
    axes.set_ylabel("convolution layer")
    axes.set_title(f"Average gradient cosine ({criterion_label(criterion)})", loc="left", fontweight="bold")
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.outline.set_linewidth(0.5)
    bar.set_label("conflict  ←   cosine   →  agreement")


def draw_figure2(results, paper, folder):
    log = LineLog("figure2")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.2, 3.9), gridspec_kw={"width_ratios": [1, 1.25]})
    draw_sizes(left, results, paper, log)
    draw_cosine(figure, right, results, log)
    handles = [Line2D([], [], color=look_of(results.criteria, name)[0], label=criterion_label(name))
               for name in results.criteria]
    seeds = len({row["seed"] for row in results.iterative})
    finish(figure, handles, f"Left: mean ± 1 sd over seeds (n = {seeds}). Right: cosine of the tasks' gradients, "
           "averaged over the layer's remaining filters, task pairs, batches and seeds; grey: no value." + paper.note())
    save(figure, log, folder, "figure2")
