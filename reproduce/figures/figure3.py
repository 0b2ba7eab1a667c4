"""Figure 3: architectures trained from scratch against iterative pruning."""
import math

from matplotlib.lines import Line2D

from references import draw_references, off_scale_note, reference_handles
from style import criterion_label, finish, fit_height, look_of, panel_grid, primary_metrics, save, title_panel
from tables import LineLog, over_seeds


def retrained_curve(results, criterion, metric):
    """[(millions, mean, sd, n)] over configurations."""
    scaled = results.metrics[metric].scaled
    rows = [row for row in results.retrained if row["criterion"] == criterion]
    return [(x / 1e6, scaled(mean), scaled(sd), n)
            for _, x, mean, sd, n in over_seeds(rows, "configuration", "parameters", metric)]


def iterative_curve(results, criterion, metric):
    """The iteratively pruned networks of the same seeds and events."""
    scaled = results.metrics[metric].scaled
    pruned = {(row["seed"], row["event"]): row for row in results.iterative if row["criterion"] == criterion}
    rows = [{**pruned[row["seed"], row["event"]], "configuration": row["configuration"]}
            for row in results.retrained
            if row["criterion"] == criterion and (row["seed"], row["event"]) in pruned]
    return [(x / 1e6, scaled(mean), scaled(sd), n)
            for _, x, mean, sd, n in over_seeds(rows, "configuration", "parameters", metric)]


def draw_panel(axes, results, size_axis, metric, log):
    """Returns the y values drawn, bars included."""
    values = []
    for criterion in dict.fromkeys(row["criterion"] for row in results.retrained):
        colour, marker = look_of(results.criteria, criterion)
        points = retrained_curve(results, criterion, metric)
        x = [size_axis.place(point[0]) for point in points]
        y = [point[1] for point in points]
        sd = [0 if math.isnan(point[2]) else point[2] for point in points]
        axes.errorbar(x, y, yerr=sd if any(sd) else None, color=colour, marker=marker, ms=4.5, capsize=2.5,
                      elinewidth=0.9)
        log.add(metric, f"{criterion} re-trained", points)
        values += [a - b for a, b in zip(y, sd)] + [a + b for a, b in zip(y, sd)]
        points = iterative_curve(results, criterion, metric)
        axes.plot([size_axis.place(point[0]) for point in points], [point[1] for point in points], "--", color=colour,
                  lw=1.3)
        log.add(metric, f"{criterion} iterative", points)
        values += [point[1] for point in points]
    return [value for value in values if math.isfinite(value)]


def legend_handles(results):
    handles = []
    for criterion in dict.fromkeys(row["criterion"] for row in results.retrained):
        colour, marker = look_of(results.criteria, criterion)
        label = criterion_label(criterion)
        handles.append(Line2D([], [], color=colour, marker=marker, ms=4.5, label=f"{label}, re-trained"))
        handles.append(Line2D([], [], color=colour, ls="--", lw=1.3, label=f"{label}, iterative"))
    return handles + reference_handles(results)


def sizes_of(results):
    return [point[0] for criterion in dict.fromkeys(row["criterion"] for row in results.retrained)
            for point in retrained_curve(results, criterion, next(iter(results.metrics)))]


def draw_figure3(results, size_axis, paper, folder):
    log = LineLog("figure3")
    sizes = sizes_of(results)
    metrics = primary_metrics(results)
    off_scale = []
    figure, panels = panel_grid(len(metrics))
    for axes, metric in zip(panels.flat, metrics):
        paper.draw(axes, "paper_fig3", metric, size_axis, results.criteria)
        paper.draw(axes, "paper_fig3", metric, size_axis, results.criteria, " iter. pruning", (0, (3, 2)))
        values = draw_panel(axes, results, size_axis, metric, log)
        off_scale += draw_references(axes, results, metric, values, log, sizes)
        size_axis.dress(axes, sizes)
        fit_height(axes)
        title_panel(axes, results.metrics[metric])
    seeds = len({row["seed"] for row in results.retrained})
    note = off_scale_note(off_scale) + (f"\n{size_axis.note}" if size_axis.note else "") + paper.note()
    finish(figure, legend_handles(results),
           f"Mean over seeds (n = {seeds}) per configuration, bars: ± 1 sd (divisor n − 1). Dashed: iteratively pruned "
           "networks of the same seeds and events." + note)
    save(figure, log, folder, "figure3" + size_axis.suffix)
