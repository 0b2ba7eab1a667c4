"""Strict reading of the table of results and atomic writing of those beside the figures."""
import csv
import json
import math
import os
from collections import defaultdict
from dataclasses import dataclass


class TableError(Exception):
    """Bad input; the message names file, line and column."""


def read_table(path, words, numbers, may_be_empty=False):
    """Rows as dicts: `words` columns as str, `numbers` columns as float. Other columns are dropped.

    `may_be_empty`: a table with only a header is allowed.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as reason:
        raise TableError(f"{path}: {getattr(reason, 'strerror', None) or reason}") from reason
    if not lines or not lines[0]:
        raise TableError(f"{path}:1: expected a header line, found an empty file")
    header = lines[0]
    for column in [*words, *numbers]:
        if header.count(column) != 1:
            raise TableError(f"{path}:1: expected one column '{column}', found {header.count(column)}")
    if len(lines) == 1 and not may_be_empty:
        raise TableError(f"{path}: expected at least one row, found only a header")
    return [_read_row(f"{path}:{number}", header, line, words, numbers)
            for number, line in enumerate(lines[1:], start=2)]


def _read_row(place, header, line, words, numbers):
    if len(line) != len(header):
        raise TableError(f"{place}: expected {len(header)} fields, found {len(line)}")
    fields = dict(zip(header, line))
    row = {column: fields[column] for column in words}
    for column in numbers:
        try:
            row[column] = float(fields[column])
        except ValueError:
            raise TableError(f"{place}:{column}: expected a number, found '{fields[column]}'") from None
    return row


def read_run(path):
    """run.json as a dict."""
    try:
        with open(path, encoding="utf-8") as file:
            run = json.load(file)
    except (OSError, ValueError) as reason:
        raise TableError(f"{path}: {getattr(reason, 'strerror', None) or reason}") from reason
    if not isinstance(run, dict):
        raise TableError(f"{path}: expected a JSON object, found {type(run).__name__}")
    return run


@dataclass(frozen=True)
class Metric:
    """What metrics.json says of one column."""
    name: str
    task: str
    label: str
    display_unit: str
    display_scale: float
    higher_is_better: bool
    primary: bool

    @property
    def axis_label(self):
        return f"{self.label} ({self.display_unit})" if self.display_unit else self.label

    def scaled(self, value):
        """A stored value in the unit of its axis."""
        return self.display_scale * value


def read_metrics(path):
    """{column: Metric} in the order of the tables."""
    try:
        with open(path, encoding="utf-8") as file:
            entries = json.load(file)
        metrics = [Metric(*(entry[field] for field in Metric.__dataclass_fields__)) for entry in entries]
    except (OSError, ValueError) as reason:
        raise TableError(f"{path}: {getattr(reason, 'strerror', None) or reason}") from reason
    except (TypeError, KeyError) as reason:
        raise TableError(f"{path}: expected a list of metrics with their fields, found none at {reason}") from reason
    return {metric.name: metric for metric in metrics}


def contains_setting(tree, key, value):
    """Whether `key` has `value` anywhere in nested JSON."""
    if isinstance(tree, dict):
        return tree.get(key) == value or any(contains_setting(part, key, value) for part in tree.values())
    return isinstance(tree, list) and any(contains_setting(part, key, value) for part in tree)


COLUMNS = ["stage", "strategy", "seed", "event", "step", "split", "task", "metric", "value"]


class Results:
    """results.csv and run.json of a results folder, whose "figures" say which stages are meant.

    Lists of networks: dicts with criterion, seed, event, configuration, parameters, macs, losses ("loss_<task>") and
    metrics. Pruning events that leave a layer without filters are left out.
    """

    def __init__(self, folder):
        self.metrics = read_metrics(os.path.join(folder, "metrics.json"))
        tasks = dict.fromkeys(metric.task for metric in self.metrics.values())
        self.losses = [f"loss_{task}" for task in tasks]
        self.path = os.path.join(folder, "results.csv")
        self.run = read_run(os.path.join(folder, "run.json"))
        self.stages = read_stages(self.path)
        figures = self.run.get("figures")
        try:
            iterative = [(curve["strategy"], curve["stage"]) for curve in figures["iterative"]]
            retrained = [(entry["configuration"], entry["strategy"], entry["stage"]) for entry in figures["retrained"]]
            dense, constant = figures["dense"], figures["constant"]
        except (KeyError, TypeError) as reason:
            raise TableError(f"{folder}/run.json: figures: expected the stages of the figures, found {figures}") from reason
        self.iterative = [{**row, "criterion": strategy} for strategy, stage in iterative
                          for row in self._networks(stage) if not row["empty"]]
        self.retrained = [{**row, "criterion": strategy, "configuration": configuration}
                          for configuration, strategy, stage in retrained
                          for row in self._networks(stage, may_be_absent=True)]
        self.cosine = [row for strategy, stage in iterative if strategy == "cosprune" for row in self._scores(stage)]
        self.dense = self._networks(dense)
        self.position = self._predictor(constant, by_position=True)  # empty in results of older versions
        self.constant = self._predictor(constant, by_position=False)
        if not self.constant:
            raise TableError(f"{self.path}: stage {constant}: expected at least one row on the test split, found none")
        self.criteria = list(dict.fromkeys(row["criterion"] for row in self.iterative))

    def _predictor(self, stage, by_position):
        """The metrics of the best prediction that is the same everywhere, or of the best by position."""
        return {row["metric"]: row["value"] for row in self.stages.get(stage, [])
                if row["split"] == "test" and row["metric"] in self.metrics
                and (row["strategy"] == "position") == by_position}

    def _networks(self, stage, may_be_absent=False):
        """One dict per seed and event: the evaluation at the selected step."""
        rows = self.stages.get(stage, [])
        selected = {(row["seed"], row["event"]): row["value"] for row in rows if row["metric"] == "selected_step"}
        networks = {}
        for row in rows:
            if row["split"] != "test" or row["step"] != selected.get((row["seed"], row["event"]), row["step"]):
                continue
            network = networks.setdefault((row["seed"], row["event"], row["step"]),
                                          {"seed": row["seed"], "event": row["event"], "empty": False})
            network[f"loss_{row['task']}" if row["metric"] == "loss" else row["metric"]] = row["value"]
        for row in rows:
            network = networks.get((row["seed"], row["event"], row["step"]))
            if row["split"] != "none" or network is None:
                continue
            if row["metric"] in ("parameters", "macs"):
                network[row["metric"]] = row["value"]
            network["empty"] |= row["metric"].startswith("width.") and row["value"] == 0
        if not networks and not may_be_absent:
            raise TableError(f"{self.path}: stage {stage}: expected at least one row on the test split, found none")
        for (seed, event, _), network in networks.items():
            for column in [*self.losses, *self.metrics, "parameters", "macs"]:
                if column not in network:
                    raise TableError(f"{self.path}: stage {stage}, seed {seed:g}, event {event:g}: expected a row for "
                                     f"{column}, found none")
            if not network["parameters"] > 0:
                raise TableError(f"{self.path}: stage {stage}: expected positive parameter counts, found "
                                 f"{network['parameters']}")
        return list(networks.values())

    def _scores(self, stage):
        """Mean scores per layer and event."""
        return [{"criterion": row["strategy"], "seed": row["seed"], "event": row["event"],
                 "layer": float(row["metric"].split(".")[1]), "average_cosine": row["value"]}
                for row in self.stages.get(stage, []) if row["metric"].startswith("score.")]


def read_stages(path):
    """{stage: its rows with numbers as float}; the status rows, whose values are words, are left out."""
    stages = {}
    words = [name for name in COLUMNS if name not in ("seed", "event", "step")]
    for number, row in enumerate(read_table(path, words, ["seed", "event", "step"]), start=2):
        for column, cell in row.items():
            if cell == "":
                raise TableError(f"{path}:{number}:{column}: expected a word or number, found nothing")
        if row["metric"] == "status":
            continue
        try:
            row["value"] = float(row["value"])
        except ValueError:
            raise TableError(f"{path}:{number}:value: expected a number, found '{row['value']}'") from None
        stages.setdefault(row["stage"], []).append(row)
    return stages


def mean_sd(values):
    """Mean and sample standard deviation (divisor n - 1; NaN for one value)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def over_seeds(rows, key, x, y):
    """[(key, mean x, mean y, sd y, n)] over seeds, by `key` (event or configuration).

    Only keys that every seed has: otherwise a seed that ends early would bend the mean.
    """
    groups = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    seeds = len({row["seed"] for row in rows})
    points = []
    for index in sorted(index for index, group in groups.items() if len(group) == seeds):
        mean, sd = mean_sd([row[y] for row in groups[index]])
        points.append((index, mean_sd([row[x] for row in groups[index]])[0], mean, sd, seeds))
    return points


class LineLog:
    """Collects every drawn line for the table beside a figure."""

    def __init__(self, figure):
        self.figure = figure
        self.rows = []

    def add(self, panel, line, points):
        """points: (x, mean, sd, n)."""
        for x, mean, sd, n in points:
            self.rows.append([self.figure, panel, line, repr(float(x)), repr(float(mean)), repr(float(sd)), int(n)])

    def save(self, path):
        with open(path + ".part", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["figure", "panel", "line", "x", "mean", "sd", "n"])
            writer.writerows(self.rows)
        os.replace(path + ".part", path)
