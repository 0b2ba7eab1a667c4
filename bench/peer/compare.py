#!/usr/bin/env python3
"""Runs the peer and mtlprune in turns on the same networks and prints a table of medians and ratios.

    compare.py --networks build/real_networks --bench build/bin/bench_coupling --peer-python VENV/bin/python \\
               [--rounds 7] [--threads 1] [NAME ...]

The peer's venv: python3 -m venv --system-site-packages VENV && VENV/bin/pip install --no-deps torch-pruning==1.6.1
(Debian: python3-torch, python3-torchvision). All times are milliseconds. peer = init + step - forward, i.e. without the
pass that it traces with; whole = trace + coupling + scoring + surgery, measured as one.
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


def run_peer(options, name):
    command = [options.peer_python, os.path.join(HERE, "time_peer.py"), name, "--threads", str(options.threads)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    if "error" not in result:
        result["peer"] = result["init"] + result["step"] - result["forward"]
    return result


def run_ours(options, name):
    environment = dict(os.environ, MTLPRUNE_NETWORKS_DIR=options.networks, OMP_NUM_THREADS=str(options.threads))
    command = [options.bench, f"--benchmark_filter=/{name}/real_time$", "--benchmark_format=json",
               "--benchmark_min_time=0.3"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    times = {}
    for entry in json.loads(output)["benchmarks"]:
        times[entry["name"].split("/")[0]] = entry["real_time"]
    return times


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
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or sorted(f[:-3] for f in os.listdir(options.networks)
                                    if f.endswith(".pt") and not f.endswith(".io.pt"))
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
