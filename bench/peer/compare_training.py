#!/usr/bin/env python3
"""Trains the same networks with mtlprune and with PyTorch in turns and writes a table of medians and ratios.

    cmake --preset default && cmake --build build --target bench_training_throughput
    /usr/bin/python3 bench/peer/compare_training.py --out build/training_throughput.json

Needs a Python with the LibTorch that mtlprune is built with (Debian: python3-torch, python3-torchvision). Every network runs in
three processes: mtlprune, PyTorch with contiguous tensors, PyTorch with channels_last. In every round each of them, in
changing order, trains for the same number of iterations, and the median of all iterations counts. The three have the
same number of threads and (unless --plain-peer) the same environment: OpenBLAS's kernels, huge pages and freed memory
that is kept, as models/process_setup.h explains. A network whose parameters or multiply-accumulates differ is refused.

GFLOP/s counts what the header of bench_training_throughput.cpp says. Convolution peak: the best that LibTorch's forward
of a 3x3 convolution (256 to 256 channels, 64x64, batch 4) reached at any time in the run. The whole list takes some 8
minutes on two idle cores; the paper's size: --models vgg16/smallaspp --side 321 --rounds 3.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "smallaspp:hidden=16"  # narrow: of MobileNetV2's work, hidden=64 would be more than half
MODELS = [f"{backbone}/{HEAD}" for backbone in ("vgg16", "vgg16:batch_norm", "resnet18", "resnet34", "resnet50",
                                                "deeplab_resnet34", "mobilenetv2", "densenet121")]
MODELS += ["segnet/linear", "unet/linear", f"convnext_t/{HEAD}", "vit_s16/linear"]
WITHOUT_TORCHVISION = ("segnet", "unet")
OURS, PEERS = "mtlprune", ("contiguous", "channels_last")
WARM_UP = 2
# What set_up_process() does by mallopt().
KEEP_FREED_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}


class Refused(Exception):
    """A network that cannot be compared."""


class Worker:
    """A process that answers requests, a line each."""

    def __init__(self, command, environment):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})
        self.ready = self.answer()
        if "error" in self.ready:
            error = self.ready["error"]
            self.close()
            raise Refused(error)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise Refused(f"{os.path.basename(self.command[0])} ended with code {code}")
        return json.loads(line)

    def ask(self, request):
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() says how it ended
        return self.answer()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def release(text):
    return text.split("+")[0].split(".")[:2]


def require_equal(ours, peer):
    for key in ("parameters", "forward_macs", "threads"):
        if ours[key] != peer[key]:
            raise Refused(f"{key}: {ours[key]} in mtlprune, {peer[key]} in PyTorch")
    if release(ours["libtorch"]) != release(peer["libtorch"]):
        raise Refused(f"LibTorch {ours['libtorch']} in mtlprune, {peer['libtorch']} in PyTorch")


def start(options, model, workers):
    """Fills `workers`, so that whatever was started can be closed."""
    arguments = ["--model", model, "--side", str(options.side), "--batch", str(options.batch), "--threads",
                 str(options.threads)]
    environment = {"OMP_NUM_THREADS": str(options.threads)}
    workers[OURS] = Worker([options.bench] + arguments, environment)
    ours = workers[OURS].ready
    if not options.plain_peer:
        environment.update({key: value for key, value in ours["environment"].items() if value}, **KEEP_FREED_MEMORY)
    script = os.path.join(HERE, "time_training.py")
    for layout in PEERS:
        workers[layout] = Worker([options.python, script] + arguments + ["--layout", layout], environment)
        require_equal(ours, workers[layout].ready)


class Progress:
    def __init__(self, networks, rounds):
        self.start, self.networks, self.rounds = time.monotonic(), networks, rounds

    def show(self, done, model, number):
        passed = time.monotonic() - self.start
        share = (done + number / self.rounds) / self.networks
        print(f"{model}: round {number} of {self.rounds}; {passed:.0f} s passed, about {passed / share - passed:.0f} s left",
              file=sys.stderr)


def iterations_per_turn(options, warm):
    fastest = min(answer["seconds"][-1] for answer in warm.values())
    return max(1, round(options.turn_seconds / fastest))


def in_turns(options, workers, count, show):
    rounds = []
    for number in range(options.rounds):
        first = number % len(workers)
        order = list(workers)[first:] + list(workers)[:first]
        rounds.append({name: workers[name].ask(f"step {count}")["seconds"] for name in order})
        show(number + 1)
    return rounds


def measure(options, model, show):
    workers = {}
    try:
        start(options, model, workers)
        ready = workers[OURS].ready
        peak = [workers[OURS].ask("peak")["gflops"]]
        warm = {name: worker.ask(f"step {WARM_UP}") for name, worker in workers.items()}
        load = os.getloadavg()
        rounds = in_turns(options, workers, iterations_per_turn(options, warm), show)
        peak.append(workers[OURS].ask("peak")["gflops"])
        versions = {name: worker.ready["libtorch"] for name, worker in workers.items()}
        return {"model": model, **ready, "libtorch": versions, "load_average": load, "peak_gflops": peak,
                "warm_up": warm, "rounds": rounds, "median_seconds": medians(rounds)}
    finally:
        for worker in workers.values():
            worker.close()


def medians(rounds):
    return {name: statistics.median(seconds for turn in rounds for seconds in turn[name]) for name in rounds[0]}


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def machine():
    return {"cpu": cpu_name(), "cpus": len(os.sched_getaffinity(0)), "system": platform.platform(),
            "python": platform.python_version(), "date": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")}


def ratio(result):
    """How many times longer the faster of the two versions in PyTorch takes."""
    seconds = result["median_seconds"]
    return min(seconds[layout] for layout in PEERS) / seconds[OURS]


def table(report):
    results = [result for result in report["networks"] if "rounds" in result]
    peak = report["convolution_peak_gflops"]
    lines = [f"{report['machine']['cpu']}, {report['threads']} threads, images {report['side']}x{report['side']}, batch "
             f"{report['batch']}, medians of {report['rounds']} rounds. Convolution peak: {peak or 0:.0f} GFLOP/s.", "",
             "| network | parameters | mtlprune, ms | PyTorch contiguous, ms | PyTorch channels_last, ms | ratio to the faster | "
             "GFLOP/s | of the convolution peak |", "|---|---|---|---|---|---|---|---|"]
    for result in results:
        seconds = result["median_seconds"]
        gflops = result["operations"] * 1e-9 / seconds[OURS]
        times = " | ".join(f"{1e3 * seconds[name]:.1f}" for name in (OURS, *PEERS))
        lines.append(f"| {result['model']} | {result['parameters']:,} | {times} | {ratio(result):.2f} | {gflops:.0f} | "
                     f"{100 * gflops / peak:.0f} % |")
    for result in report["networks"]:
        if "refused" in result:
            lines.append(f"\n{result['model']} was not compared: {result['refused']}.")
    return "\n".join(lines) + "\n"


def write(report, path):
    peaks = [peak for result in report["networks"] for peak in result.get("peak_gflops", [])]
    report["convolution_peak_gflops"] = max(peaks, default=None)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    with open(os.path.splitext(path)[0] + ".md", "w", encoding="utf-8") as file:
        file.write(table(report))


def usable(options):
    """The models whose versions in PyTorch can be made."""
    if subprocess.run([options.python, "-c", "import torchvision"], capture_output=True, check=False).returncode == 0:
        return options.models
    print(f"{options.python} has no torchvision: only {' and '.join(WITHOUT_TORCHVISION)} are compared", file=sys.stderr)
    return [model for model in options.models if model.split("/")[0].split(":")[0] in WITHOUT_TORCHVISION]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="BACKBONE/HEAD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn-seconds", type=float, default=1.0, help="of the fastest of the three, in every round")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bench", default="build/bin/bench_training_throughput")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--plain-peer", action="store_true", help="PyTorch in the caller's environment")
    parser.add_argument("--out", required=True, metavar="FILE.json", help="and FILE.md, the table")
    options = parser.parse_args()
    options.bench = os.path.abspath(options.bench)
    return options


def main():
    options = read_options()
    models = usable(options)
    report = {"machine": machine(), "threads": options.threads, "side": options.side, "batch": options.batch,
              "rounds": options.rounds, "turn_seconds": options.turn_seconds, "plain_peer": options.plain_peer, "networks": []}
    write(report, options.out)  # fails before the work, if at all
    progress = Progress(len(models), options.rounds)
    for done, model in enumerate(models):
        try:
            result = measure(options, model, lambda number: progress.show(done, model, number))
        except Refused as error:
            result = {"model": model, "refused": str(error)}
            print(f"{model} is refused: {error}", file=sys.stderr)
        report["networks"].append(result)
        write(report, options.out)
    print(table(report), end="")
    return 1 if any("refused" in result for result in report["networks"]) else 0


if __name__ == "__main__":
    sys.exit(main())
