#!/usr/bin/env python3
"""Runs the peer and mtlprune in turns on the same networks and prints a table of medians and ratios.

    compare.py --networks build/real_networks --bench build/bin/bench_coupling --peer-python VENV/bin/python \\
               [--rounds 7] [--threads 1] [--min-time 2] [--criteria l1,fpgm] [NAME ...]

The peer's venv: python3 -m venv --system-site-packages VENV && VENV/bin/pip install --no-deps torch-pruning==1.6.1
(Debian: python3-torch, python3-torchvision). All times are milliseconds. peer = init + step - forward, i.e. without the
pass that it traces with; whole = trace + coupling + scoring + surgery, measured as one. With --criteria the table has the peer, whole and their ratio
for each of them (l1, l2, bn_scale, lamp, fpgm, taylor_weight) instead of the stages.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STAGES = ("trace", "coupling", "scoring", "surgery", "copy_limit", "read_limit", "copy_all", "whole")
LIMITS = ("copy_limit", "read_limit", "copy_all")


def run_peer(options, name, criterion="l2"):
    command = [options.peer_python, os.path.join(HERE, "time_peer.py"), name, "--threads", str(options.threads),
               "--criterion", criterion]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    if "error" not in result:
        result["peer"] = result["init"] + result["step"] - result["forward"]
    return result


def run_bench(options, pattern):
    """Milliseconds by name."""
    environment = dict(os.environ, MTLPRUNE_NETWORKS_DIR=options.networks, OMP_NUM_THREADS=str(options.threads))
    command = [options.bench, f"--benchmark_filter={pattern}", "--benchmark_format=json",
               f"--benchmark_min_time={options.min_time}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return {entry["name"]: entry["real_time"] for entry in json.loads(output)["benchmarks"]}


def run_ours(options, name):
    times = run_bench(options, f"^[a-z_]+/{name}/real_time$")
    return {benchmark.split("/")[0]: time for benchmark, time in times.items()}


def compare_criteria(options, names):
    """Peer and mtlprune in turns for every criterion and network."""
    criteria = options.criteria.split(",")
    peer, ours = {}, {}
    for number in range(options.rounds):
        for name in names:
            for criterion in criteria:
                key = (name, criterion)
                peer.setdefault(key, []).append(run_peer(options, name, criterion))
                times = run_bench(options, f"^whole_by/{criterion}/{name}/real_time$")
                ours.setdefault(key, []).append({"whole": time for time in times.values()})
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    print("| network | criterion | peer | whole | peer / whole |\n|---|---|---|---|---|")
    for (name, criterion), rows in peer.items():
        theirs, whole = median(rows, "peer"), median(ours[name, criterion], "whole")
        ratio = "-" if theirs is None else shown(theirs / whole)
        print(f"| {name} | {criterion} | {'fails' if theirs is None else shown(theirs)} | {shown(whole)} | {ratio} |")


def median(rows, key):
    values = [row[key] for row in rows if key in row]
    return statistics.median(values) if values else None


def shown(value):
    return "-" if value is None else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", required=True)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-time", type=float, default=2, help="seconds of every measurement of ours")
    parser.add_argument("--criteria")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or sorted(f[:-3] for f in os.listdir(options.networks)
                                    if f.endswith(".pt") and not f.endswith(".io.pt"))
    if options.criteria:
        compare_criteria(options, names)
        return 0
    peer = {name: [] for name in names}
    ours = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names:
            peer[name].append(run_peer(options, name))
            ours[name].append(run_ours(options, name))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    print("| network | peer | " + " | ".join(STAGES) + " | peer / whole | "
          + " | ".join(f"surgery / {limit}" for limit in LIMITS) + " |")
    print("|" + "---|" * (len(STAGES) + 3 + len(LIMITS)))
    for name in names:
        theirs, times = median(peer[name], "peer"), {stage: median(ours[name], stage) for stage in STAGES}
        ratio = shown(theirs / times["whole"]) if theirs is not None and times["whole"] else "-"
        surgery = " | ".join(shown(times["surgery"] / times[limit]) if times[limit] else "-" for limit in LIMITS)
        failed = "fails" if "error" in peer[name][0] else shown(theirs)
        print(f"| {name} | {failed} | " + " | ".join(shown(times[s]) for s in STAGES) + f" | {ratio} | {surgery} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
