#!/usr/bin/env python3
"""Draws latency against multiply-accumulates, and layers under the roof of the machine.

    roofline.py OUT.png --inference INFERENCE.json [--layers LAYERS.json]

Left: every network of bench_inference, one line per engine; grey lines: time in proportion to the work, from each engine's first
network. Right: every layer of bench_layers; the roof is what bench_inference measured of the machine before (peaks in the context).
Bytes of a layer are its input, its weights and its result, each once.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "reproduce", "figures"))
import style  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402


def read(path):
    with open(path) as file:
        results = json.load(file)
    rows = [row for row in results["benchmarks"] if not row.get("error_occurred") and row.get("run_type") != "aggregate"]
    return results["context"], rows


def draw_latency(axes, rows):
    """inference/BACKBONE/HEAD/NETWORK/ENGINE/batch:B/size:S..."""
    engines = {}
    for row in rows:
        parts = row["name"].split("/")
        engines.setdefault(f"{parts[4]}, {parts[5].replace(':', ' ')}", []).append((row["GMACs"], row["real_time"], row["label"]))
    for index, (engine, points) in enumerate(engines.items()):
        colour, marker = style.COLOURS[index % len(style.COLOURS)], style.MARKERS[index % len(style.MARKERS)]
        macs, times = points[0][0], points[0][1]
        axes.plot([0, macs], [0, times], color="#bbbbbb", linewidth=0.8, zorder=1)
        axes.plot([p[0] for p in points], [p[1] for p in points], marker, color=colour, label=engine, markersize=5)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("GMACs")
    axes.set_ylabel("median, ms")
    axes.set_title("Latency against work", loc="left", fontweight="bold")
    axes.legend()


def intensity(row):
    """Floating-point operations per byte of a layer that keeps the size of its maps."""
    pixels = row["height"] * row["width"]
    weights = row["GMACs"] * 1e9 / pixels
    return 2e9 * row["GMACs"] / (4 * ((row["inputs"] + row["outputs"]) * pixels + weights))


def draw_roof(axes, context, rows):
    """layer/BACKBONE/HEAD/NETWORK/ENGINE/batch:B/size:S/LAYER"""
    peak = max(float(context["peak_gemm_GFLOP_per_s"]), float(context["peak_convolution_GFLOP_per_s"]))
    copy = float(context["peak_copy_GB_per_s"])
    series = {}
    for row in rows:
        parts = row["name"].split("/")
        series.setdefault(f"{parts[3]}, {parts[4]}", []).append((intensity(row), row["GFLOP_per_s"]))
    for index, (name, points) in enumerate(series.items()):
        colour, marker = style.COLOURS[index % len(style.COLOURS)], style.MARKERS[index % len(style.MARKERS)]
        axes.plot([p[0] for p in points], [p[1] for p in points], marker, color=colour, label=name, markersize=4)
    intensities = [p[0] for points in series.values() for p in points]
    low, high = min(intensities) / 1.5, 2 * max(intensities)
    axes.plot([low, peak / copy, high], [low * copy, peak, peak], color="#222222", linewidth=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("FLOP per byte")
    axes.set_ylabel("GFLOP/s")
    axes.set_title("Layers under the roof", loc="left", fontweight="bold")
    axes.legend(fontsize=7)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--inference", required=True)
    parser.add_argument("--layers")
    options = parser.parse_args()
    context, rows = read(options.inference)
    plt.rcParams.update(style.PLOT_SETTINGS)
    panels = 2 if options.layers else 1
    figure, axes = plt.subplots(1, panels, figsize=(5.2 * panels, 4.2), squeeze=False)
    draw_latency(axes[0][0], rows)
    if options.layers:
        draw_roof(axes[0][1], context, read(options.layers)[1])
    invalid = sum(not row["valid"] for row in rows)
    note = f"{context['cpu']}, {context['threads']} threads, LibTorch {context['libtorch']}"
    if invalid:
        note += f"; {invalid} of {len(rows)} results INVALID (too short or too noisy)"
    figure.text(0.01, 0.005, note, fontsize=7, color="#555555")
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    figure.savefig(options.out)


if __name__ == "__main__":
    main()
