#!/usr/bin/env python3
"""Draws what bench_layers measured: where multiply-accumulates fell and time did not.

    layers.py LAYERS.json OUT.png [--engine ENGINE] [--table]

Two panels per engine: milliseconds of every layer before and after pruning, and its efficiency (speed-up over MAC reduction;
1: time fell as the work did). With --table the same as a Markdown table on standard output.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "reproduce", "figures"))
import style  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402


def read(path):
    """{engine: {network: [row, ...]}}, networks and layers in the order of the file; what was skipped is left out."""
    with open(path) as file:
        results = json.load(file)
    engines = {}
    for row in results["benchmarks"]:
        if row.get("error_occurred") or row.get("run_type") == "aggregate":
            continue
        # layer/MODEL/NETWORK/ENGINE/batch:B/size:S/LAYER, where MODEL is BACKBONE/HEAD
        parts = row["name"].split("/")
        network, engine, layer = parts[3], parts[4], parts[7]
        engines.setdefault(engine, {}).setdefault(network, []).append(dict(row, layer_name=layer))
    return results["context"], engines


def short(name):
    return name.replace("backbone.", "").replace("heads.", "").replace("segmentation", "segm")


def draw(context, engines, out):
    plt.rcParams.update(style.PLOT_SETTINGS)
    figure, axes = plt.subplots(2 * len(engines), 1, figsize=(12, 6.2 * len(engines)), squeeze=False)
    for number, (engine, networks) in enumerate(engines.items()):
        times, efficiency = axes[2 * number][0], axes[2 * number + 1][0]
        names = [short(row["layer_name"]) for row in next(iter(networks.values()))]
        width = 0.8 / len(networks)
        dense = [row["real_time"] for row in next(iter(networks.values()))]
        shares = [time / sum(dense) for time in dense]
        for index, (network, rows) in enumerate(networks.items()):
            places = [layer + (index - (len(networks) - 1) / 2) * width for layer in range(len(rows))]
            colour = style.DENSE_COLOUR if index == 0 else style.COLOURS[index - 1]
            times.bar(places, [row["real_time"] for row in rows], width, label=network, color=colour)
            if index > 0:
                efficiency.scatter(range(len(rows)), [row["efficiency"] for row in rows], [12 + 500 * part for part in shares],
                                   marker=style.MARKERS[index - 1], label=network, color=colour)
        efficiency.axhline(1, color="#777777", linewidth=0.8)
        efficiency.set_ylim(bottom=0)
        times.set_ylabel("ms")
        efficiency.set_ylabel("speed-up / MAC reduction")
        times.set_title(f"{engine}: median time of each convolution", loc="left", fontweight="bold")
        efficiency.set_title("Efficiency: 1 where time fell as the work did; large: much of the first network's time", loc="left",
                             fontweight="bold")
        for panel in (times, efficiency):
            panel.set_xticks(range(len(names)))
            panel.set_xticklabels(names if panel is efficiency else [], rotation=60, ha="right")
            panel.set_xlim(-0.7, len(names) - 0.3)
        times.legend(loc="upper right")
    figure.text(0.01, 0.002, f"{context['cpu']}, {context['threads']} threads, LibTorch {context['libtorch']}", fontsize=7, color="#555555")
    figure.tight_layout()
    figure.savefig(out)


def table(engines):
    for engine, networks in engines.items():
        dense, *others = networks.items()
        for network, rows in others:
            print(f"\n{network} beside {dense[0]}, {engine}\n\n| layer | channels | MACs | ms | GFLOP/s | efficiency |\n|---|---|---|---|---|---|")
            for before, after in zip(dense[1], rows):
                print(f"| {short(after['layer_name'])} | {before['inputs']:.0f}→{before['outputs']:.0f} to {after['inputs']:.0f}→{after['outputs']:.0f} "
                      f"| 1/{after['mac_reduction']:.2f} | {before['real_time']:.2f} to {after['real_time']:.2f} "
                      f"| {before['GFLOP_per_s']:.0f} to {after['GFLOP_per_s']:.0f} | {after['efficiency']:.2f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("out")
    parser.add_argument("--engine")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    context, engines = read(options.results)
    if options.engine:
        engines = {name: rows for name, rows in engines.items() if name == options.engine}
    if not engines:
        sys.exit(f"{options.results}: no layers" + (f" of the engine {options.engine}" if options.engine else ""))
    draw(context, engines, options.out)
    if options.table:
        table(engines)


if __name__ == "__main__":
    main()
