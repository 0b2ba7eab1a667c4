#!/usr/bin/env python3
"""Draws what a data set holds: data_stats.png and data_stats.pdf beside the tables of `mtlprune data stats`."""
import argparse
import csv
import json
import os
import sys

sys.dont_write_bytecode = True

try:
    import matplotlib  # noqa: F401
    import numpy as np
except ImportError as reason:
    sys.exit(f"error: the figures need matplotlib and numpy for {sys.executable}: {reason}")

from matplotlib.colors import LogNorm  # noqa: E402  (after the check above)
from style import COLOURS, PLOT_SETTINGS, plt  # noqa: E402

ABSENT_COLOUR = "#C8CCD2"


def read_rows(folder, name):
    """{task: rows} of a CSV file."""
    rows = {}
    with open(os.path.join(folder, name), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["task"], []).append(row)
    return rows


def heading(axes, title, note=""):
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_title(note, loc="right", fontsize=8, color="#555555")


def draw_classes(axes, task, rows):
    """Bars of the classes' shares; logarithmic when they differ by more than a factor of 20."""
    shares = np.array([100 * float(row["fraction"]) for row in rows])
    classes = np.arange(len(shares))
    present = shares > 0
    axes.bar(classes, shares, width=0.82, color=COLOURS[1])
    if present.any() and shares[present].max() > 20 * shares[present].min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    unit = "images" if task["kind"] == "classification" else "valid pixels"
    axes.set_ylabel(f"Share of {unit} (%)")
    axes.set_xlabel("Class")
    step = max(1, -(-len(shares) // 14))
    axes.set_xticks(classes[::step])
    axes.set_xlim(-0.8, len(shares) - 0.2)
    axes.grid(axis="x", visible=False)
    heading(axes, task["name"], f"{present.sum()} of {len(shares)} classes occur")


def draw_binary(axes, tasks, classes):
    """One bar per binary task: the share of class 1."""
    shares = [100 * float(classes[task["name"]][1]["fraction"]) for task in tasks]
    order = np.argsort(shares, kind="stable")
    places = np.arange(len(tasks))
    axes.barh(places, [shares[i] for i in order], height=0.75, color=COLOURS[1])
    axes.set_yticks(places, [tasks[i]["name"].replace("_", " ") for i in order], fontsize=6.5)
    axes.set_ylim(-0.7, len(tasks) - 0.3)
    axes.set_xlim(0, 100)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Share of images with class 1 (%)")
    heading(axes, f"{len(tasks)} binary tasks")


def draw_values(axes, task, rows):
    """The density of depth (logarithmic axis) or of a map in 0..1."""
    inside = [row for row in rows if "inf" not in (row["low"].lstrip("-"), row["high"])]
    low = np.array([float(row["low"]) for row in inside])
    high = np.array([float(row["high"]) for row in inside])
    counts = np.array([float(row["count"]) for row in inside])
    shares = 100 * counts / max(1.0, sum(float(row["count"]) for row in rows))
    axes.fill_between(np.append(low, high[-1]), np.append(shares, shares[-1]), step="post", color=COLOURS[1],
                      alpha=0.35, linewidth=0)
    axes.step(np.append(low, high[-1]), np.append(shares, shares[-1]), where="post", color=COLOURS[1], linewidth=1.2)
    seen = np.flatnonzero(counts)
    logarithmic = task["logarithmic"]
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else "")
        axes.tick_params(axis="x", which="minor", labelsize=7.5)
    elif seen.size and shares.max() > 200 * np.median(shares[seen]):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if seen.size and logarithmic:
        axes.set_xlim(low[seen[0]] / 1.15, high[seen[-1]] * 1.15)
    if axes.get_yscale() != "log":
        axes.set_ylim(0, 1.18 * max(shares.max(), 1e-9))
    median = task.get("quantiles", {}).get("0.5")
    if median is not None:
        axes.axvline(median, color=COLOURS[0], linewidth=1.2, linestyle=(0, (4, 2)))
        label = f" median {median:.2f}" + (f" {task['unit']}" if task["unit"] else "")
        axes.text(median, 0.97, label, transform=axes.get_xaxis_transform(), color=COLOURS[0], fontsize=8, va="top")
    notes = [note for note in (task["unit"], "logarithmic" if logarithmic else "") if note]
    axes.set_xlabel("Value" + (f" ({', '.join(notes)})" if notes else ""))
    axes.set_ylabel("Share per bin (%)")
    heading(axes, task["name"], f"mean {task['mean']:.2f}, sd {task['deviation']:.2f}" if task["mean"] else "no values")


def draw_directions(axes, task, rows):
    """Where the normals point: x to the right, y down, as in the image."""
    side = round(2 / (float(rows[0]["x_high"]) - float(rows[0]["x_low"]))) if rows else 1
    grid = np.full((side, side), np.nan)
    for row in rows:
        x, y = (round((float(row[axis]) + 1) / 2 * side) for axis in ("x_low", "y_low"))
        grid[y, x] = float(row["count"])
    grid *= 100 / max(1.0, np.nansum(grid))
    image = axes.imshow(grid, extent=(-1, 1, 1, -1), norm=LogNorm() if rows else None, cmap="viridis",
                        interpolation="nearest")
    axes.add_patch(plt.Circle((0, 0), 1, fill=False, color="#555555", linewidth=0.8))
    axes.set_xticks([-1, 0, 1])
    axes.set_yticks([-1, 0, 1])
    axes.set_xlabel("x (right)")
    axes.set_ylabel("y (down)")
    axes.grid(visible=False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85, label="Share of valid pixels (%)")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    heading(axes, task["name"])


def draw_validity(axes, tasks):
    places = np.arange(len(tasks))[::-1]
    shares = [100 * (task["valid_fraction"] or 0) for task in tasks]
    axes.barh(places, [100] * len(tasks), height=0.6, color=ABSENT_COLOUR)
    axes.barh(places, shares, height=0.6, color=COLOURS[2])
    for place, share in zip(places, shares):
        axes.text(102, place, f"{share:.1f} %", va="center", fontsize=8)
    axes.set_yticks(places, [task["name"] for task in tasks])
    axes.set_ylim(-0.7, len(tasks) - 0.3)
    axes.set_xlim(0, 100)
    axes.grid(visible=False)
    axes.set_xlabel("Share that has a label (%)")
    heading(axes, "labelled")


def draw_channels(axes, channels):
    names = ["red", "green", "blue"]
    for place, (name, colour) in enumerate(zip(names, ["#C0392B", "#2E8B57", "#2C6FBB"])):
        channel = channels[name]
        axes.errorbar(channel["mean"], 2 - place, xerr=channel["deviation"], fmt="o", color=colour, capsize=4,
                      linewidth=2.2, markersize=7)
        axes.text(channel["mean"], 2 - place + 0.2, f"{channel['mean']:.3f} ± {channel['deviation']:.3f}", ha="center",
                  fontsize=8, color=colour)
    axes.set_yticks([2, 1, 0], names)
    axes.set_ylim(-0.5, 2.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("Mean ± standard deviation (0..1)")
    heading(axes, "image")


def panels_of(statistics, folder):
    """[draw(axes)] in the order of the tasks."""
    classes, histograms = read_rows(folder, "classes.csv"), read_rows(folder, "histograms.csv")
    directions = read_rows(folder, "directions.csv")
    tasks = statistics["tasks"]
    binary = [task for task in tasks if task["kind"] == "classification" and task["channels"] == 2]
    panels = [lambda axes: draw_channels(axes, statistics["channels"])]
    if len(tasks) <= 12:
        panels.append(lambda axes: draw_validity(axes, tasks))
    if binary:
        panels.append(lambda axes: draw_binary(axes, binary, classes))
    for task in tasks:
        name = task["name"]
        if task["kind"] == "normals":
            panels.append(lambda axes, t=task, n=name: draw_directions(axes, t, directions.get(n, [])))
        elif name in histograms:
            panels.append(lambda axes, t=task, n=name: draw_values(axes, t, histograms[n]))
        elif task not in binary:
            panels.append(lambda axes, t=task, n=name: draw_classes(axes, t, classes[n]))
    return panels, bool(len(binary) > 12)


def draw(folder):
    with open(os.path.join(folder, "statistics.json"), encoding="utf-8") as file:
        statistics = json.load(file)
    with matplotlib.rc_context(PLOT_SETTINGS):
        panels, tall = panels_of(statistics, folder)
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        height = rows * (5.6 if tall else 2.9) + 0.4
        figure, grid = plt.subplots(rows, columns, figsize=(4.0 * columns, height), squeeze=False)
        for axes in grid.flat[len(panels):]:
            axes.set_visible(False)
        for axes, panel in zip(grid.flat, panels):
            panel(axes)
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.28 / height), w_pad=1.8, h_pad=1.4)
        figure.text(0.01, 1 - 0.08 / height, statistics["description"], ha="left", va="top", fontsize=11)
        for extension in ("png", "pdf"):
            part = os.path.join(folder, f"data_stats.part.{extension}")
            figure.savefig(part, metadata={"CreationDate": None} if extension == "pdf" else None)
            os.replace(part, os.path.join(folder, f"data_stats.{extension}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="folder with statistics.json, classes.csv, histograms.csv, directions.csv")
    try:
        draw(parser.parse_args().folder)
    except (OSError, KeyError, ValueError) as reason:
        print(f"error: {type(reason).__name__}: {reason}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
