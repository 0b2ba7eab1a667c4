"""Figure 1 and its appendix: metrics against size during iterative pruning."""
import math

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from references import draw_references, off_scale_note, reference_handles
from style import criterion_label, finish, fit_height, look_of, panel_grid, primary_metrics, save, title_panel
from tables import LineLog, over_seeds

AVERAGING = "Lines join the pruning events: x = mean parameters and y = mean metric over seeds at that event"


def curve(results, criterion, metric):
    """[(event, millions, mean, sd, n)] in the axis' unit."""
    scaled = results.metrics[metric].scaled
    rows = [row for row in results.iterative if row["criterion"] == criterion]
    return [(event, x / 1e6, scaled(mean), scaled(sd), n)
            for event, x, mean, sd, n in over_seeds(rows, "event", "parameters", metric)]


def draw_curves(axes, results, size_axis, metric, log):
    """Mean lines and bands; returns the y values drawn."""
    values = []
    for criterion in results.criteria:
        colour, _ = look_of(results.criteria, criterion)
        points = curve(results, criterion, metric)
        x = [size_axis.place(point[1]) for point in points]
        y = [point[2] for point in points]
        sd = [0 if math.isnan(point[3]) else point[3] for point in points]
        low, high = [a - b for a, b in zip(y, sd)], [a + b for a, b in zip(y, sd)]
        axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        axes.plot(x, y, color=colour)
        log.add(metric, criterion, [point[1:] for point in points])
        values += low + high
    return [value for value in values if math.isfinite(value)]


def legend_handles(results):
    handles = [Line2D([], [], color=look_of(results.criteria, name)[0], label=criterion_label(name))
               for name in results.criteria]
    return handles + reference_handles(results) + [Patch(color="#999999", alpha=0.35, lw=0, label="± 1 sd")]


def sizes_of(results):
    return [point[1] for criterion in results.criteria for point in curve(results, criterion, next(iter(results.metrics)))]


def draw(results, size_axis, paper, folder, name, metrics):
    log = LineLog(name)
    sizes = sizes_of(results)
    figure, panels = panel_grid(len(metrics))
    off_scale = []
    for axes, metric in zip(panels.flat, metrics):
        if name == "figure1":
            paper.draw(axes, "paper_fig1_dense", metric, size_axis, results.criteria)
        values = draw_curves(axes, results, size_axis, metric, log)
        off_scale += draw_references(axes, results, metric, values, log, sizes)
        size_axis.dress(axes, sizes)
        fit_height(axes)
        title_panel(axes, results.metrics[metric])
    for axes, below in zip(panels[:-1].flat, panels[1:].flat):
        if below.axison:
            axes.set_xlabel("")
    paper_shown = paper if name == "figure1" else None
    finish(figure, legend_handles(results), footnote(results, size_axis, paper_shown, off_scale))
    save(figure, log, folder, name + size_axis.suffix)


def footnote(results, size_axis, paper, off_scale):
    seeds = len({row["seed"] for row in results.iterative})
    text = f"{AVERAGING} (n = {seeds}); sd with divisor n − 1."
    text += off_scale_note(off_scale)
    if size_axis.note:
        text += "\n" + size_axis.note
    return text + (paper.note() if paper else "")


def draw_figure1(results, size_axis, paper, folder):
    primary = primary_metrics(results)
    draw(results, size_axis, paper, folder, "figure1", primary)
    others = [metric for metric in results.metrics if metric not in primary]
    draw(results, size_axis, paper, folder, "figure1_appendix", others)
