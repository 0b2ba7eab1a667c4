"""Looks and labels shared by all figures."""
import math
import os
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

PLOT_SETTINGS = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9,
    "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.fontsize": 9, "axes.linewidth": 0.7,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.6, "figure.dpi": 100, "savefig.dpi": 200,
    "pdf.fonttype": 42, "svg.hashsalt": "fixed", "legend.frameon": False,
}

# Okabe and Ito's palette: told apart under the common forms of colour blindness and in grey. With the markers it makes
# 56 looks.
COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8AC1B"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
DENSE_COLOUR, PREDICTOR_COLOUR = "#222222", "#777777"

# The published figures' panels from left to right.
PANEL_TASKS = ["segmentation", "depth", "normals"]


def primary_metrics(results):
    """The main metric of each task, in the order of the panels."""
    chosen = [metric for metric in results.metrics.values() if metric.primary]
    place = {task: index for index, task in enumerate(PANEL_TASKS)}
    return [metric.name for metric in sorted(chosen, key=lambda metric: place.get(metric.task, len(place)))]


def title_panel(axes, metric):
    """The metric's name and which way is better."""
    axes.set_title(metric.axis_label, loc="left", fontweight="bold")
    axes.set_title("better ↑" if metric.higher_is_better else "better ↓", loc="right", fontsize=8, color="#555555")


def fit_height(axes):
    """Room for every line, reference levels included."""
    values = [float(y) for line in axes.lines for y in line.get_ydata() if math.isfinite(float(y))]
    values += [float(y) for band in axes.collections for path in band.get_paths() for y in path.vertices[:, 1]]
    if values:
        room = 0.06 * (max(values) - min(values)) or 0.05 * abs(values[0]) or 1.0
        axes.set_ylim(min(values) - room, max(values) + room)


def criterion_label(criterion):
    return {"taylor": "Taylor", "cosprune": "CosPrune"}.get(criterion, criterion)


def look_of(criteria, criterion):
    """Colour and marker; Taylor and CosPrune keep theirs whatever else is drawn."""
    order = ["taylor", "cosprune"] + [name for name in criteria if name not in ("taylor", "cosprune")]
    index = order.index(criterion)
    return COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]


def panel_grid(count):
    """A figure and its panels, three in a row; those that are not needed are blank."""
    columns = min(3, max(1, count))
    rows = -(-count // columns) or 1
    figure, panels = plt.subplots(rows, columns, figsize=(3.4 * columns, 3.7 + 2.35 * (rows - 1)), squeeze=False)
    for axes in panels.flat[count:]:
        axes.axis("off")
    return figure, panels


LEGEND_ROW = 0.2  # inches
FOOTNOTE_CHARACTERS = 17  # per inch


def legend_above(figure, handles, height):
    """One legend in as few rows as the width allows; returns how many."""
    for rows in range(1, len(handles) + 1):
        legend = figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1 - 0.02 / height),
                               ncol=-(-len(handles) // rows), handlelength=2.6, columnspacing=1.8, borderaxespad=0)
        width = legend.get_window_extent(figure.canvas.get_renderer()).width / figure.dpi
        if width <= figure.get_size_inches()[0] or rows == len(handles):
            return rows
        legend.remove()


def finish(figure, handles, footnote):
    """One legend above and one footnote below all panels, both outside them at any figure height."""
    most = int(FOOTNOTE_CHARACTERS * figure.get_size_inches()[0])
    footnote = "\n".join(textwrap.fill(line, most) for line in footnote.split("\n"))
    lines = footnote.count("\n") + 1
    height = figure.get_size_inches()[1] + 0.155 * (lines - 1)
    rows = legend_above(figure, handles, height)
    height += LEGEND_ROW * (rows - 1)
    figure.set_figheight(height)
    figure.legends[0].set_bbox_to_anchor((0.5, 1 - 0.02 / height), figure.transFigure)
    top = 1 - (0.24 + LEGEND_ROW * (rows - 1)) / height
    for _ in range(2):  # the first pass changes heights and with them the tick labels
        figure.tight_layout(rect=(0, (0.06 + 0.155 * lines) / height, 1, top), w_pad=1.6)
    figure.text(0.008, 0.05 / height, footnote, fontsize=7.5, color="#555555", ha="left", va="bottom", linespacing=1.35)


def save(figure, log, folder, name):
    """<name>.png, <name>.pdf and <name>.csv, each complete or absent."""
    for extension in ("png", "pdf"):
        part = os.path.join(folder, f"{name}.part.{extension}")
        metadata = {"CreationDate": None} if extension == "pdf" else None
        figure.savefig(part, metadata=metadata)
        os.replace(part, os.path.join(folder, f"{name}.{extension}"))
    plt.close(figure)
    log.save(os.path.join(folder, f"{name}.csv"))
