#!/usr/bin/env python3
"""Draws how a training went: losses on the way, the main metric of every task on frames that were looked at on the way and on the
test split, beside the best predictions that ignore the image."""
import argparse
import os
import sys

sys.dont_write_bytecode = True

try:
    import matplotlib
    import numpy
except ImportError as reason:
    sys.exit(f"error: the figures need matplotlib and numpy for {sys.executable}: {reason}")

from matplotlib.lines import Line2D  # noqa: E402  (after the check above)

from references import PREDICTORS  # noqa: E402
from style import COLOURS, PLOT_SETTINGS, finish, fit_height, panel_grid, save, title_panel  # noqa: E402
from tables import LineLog, TableError, read_metrics, read_stages, read_table  # noqa: E402

NAME = "learning_curves"
SPLITS = {"val": ("held-out frames", {"color": COLOURS[0], "marker": ".", "ls": "-"}),
          "test": ("test split", {"color": COLOURS[1], "marker": "s", "ls": "-"})}
MEAN_OF = 10  # points of curve.csv per point of the smooth line


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", help="folder of a training stage, with metrics.json beside its tables; the figure is written there")
    parser.add_argument("--predictors", help="results.csv of a constant stage")
    return parser.parse_args()


def smooth(values):
    width = min(MEAN_OF, len(values))
    return numpy.convolve(values, numpy.ones(width) / width, mode="valid"), width


def draw_loss(axes, curve, task, log):
    steps, losses = [row["iteration"] for row in curve], [row[f"loss.{task}"] for row in curve]
    axes.plot(steps, losses, color=COLOURS[2], lw=0.5, alpha=0.45)
    if losses:
        means, width = smooth(losses)
        axes.plot(steps[width - 1:], means, color=COLOURS[2])
    axes.set_title(f"Training loss, {task}", loc="left", fontweight="bold")
    log.add(f"loss.{task}", "train", [(x, y, float("nan"), 1) for x, y in zip(steps, losses)])


def draw_metric(axes, metric, rows, predictors, log):
    for split, (_, look) in SPLITS.items():
        points = sorted((row["step"], metric.scaled(row["value"])) for row in rows
                        if row["split"] == split and row["metric"] == metric.name)
        if points:
            axes.plot(*zip(*points), **look)
            log.add(metric.name, split, [(x, y, float("nan"), 1) for x, y in points])
    for line, (_, look) in PREDICTORS.items():
        for row in predictors:
            if row["strategy"] == line and row["metric"] == metric.name:
                axes.axhline(metric.scaled(row["value"]), **look)
                log.add(metric.name, line, [(0, metric.scaled(row["value"]), float("nan"), 1)])
    title_panel(axes, metric)
    fit_height(axes)


def draw(arguments):
    metrics = read_metrics(os.path.join(arguments.stage, "metrics.json"))
    main_metrics = [metric for metric in metrics.values() if metric.primary]
    (rows,) = read_stages(os.path.join(arguments.stage, "results.csv")).values()
    columns = [f"loss.{metric.task}" for metric in main_metrics]
    curve = read_table(os.path.join(arguments.stage, "curve.csv"), [], ["iteration", *columns], may_be_empty=True)  # fewer than 10 iterations
    predictors = []
    if arguments.predictors:
        (predictors,) = read_stages(arguments.predictors).values()
    log = LineLog(NAME)
    figure, panels = panel_grid(2 * len(main_metrics))
    for metric, axes in zip(main_metrics, panels.flat):
        draw_loss(axes, curve, metric.task, log)
    for metric, axes in zip(main_metrics, panels.flat[len(main_metrics):]):
        draw_metric(axes, metric, rows, predictors, log)
        axes.set_xlabel("Iteration")
    last = max([row["iteration"] for row in curve] + [row["step"] for row in rows])
    for axes in panels.flat[:2 * len(main_metrics)]:
        axes.set_xlim(0, 1.03 * last)
    looks = [{"label": name} | look for split, (name, look) in SPLITS.items() if any(row["split"] == split for row in rows)]
    looks += [{"label": name} | look for line, (name, look) in PREDICTORS.items()
              if any(row["strategy"] == line for row in predictors)]
    train = {"label": "training batches", "color": COLOURS[2]}
    finish(figure, [Line2D([], [], **look) for look in [train, *looks]],
           "One seed. Losses: means of 10 iterations, and the mean of the last 10 of these; predictors: on the test split.")
    save(figure, log, arguments.stage, NAME)


def main():
    try:
        with matplotlib.rc_context(PLOT_SETTINGS):
            draw(read_arguments())
    except (TableError, OSError) as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
