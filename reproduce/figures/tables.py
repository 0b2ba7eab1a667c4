"""Strict reading and atomic writing of the result tables."""
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


class Results:
    """All tables of a results folder. Events that leave a layer without filters are left out."""

    def __init__(self, folder):
        def table(name, words, numbers, may_be_empty=False):
            return read_table(os.path.join(folder, name), words, numbers, may_be_empty)

        self.metrics = read_metrics(os.path.join(folder, "metrics.json"))
        tasks = dict.fromkeys(metric.task for metric in self.metrics.values())
        values = [f"loss_{task}" for task in tasks] + list(self.metrics)
        widths = table("widths.csv", ["criterion"], ["seed", "event", "layer", "width"])
        empty = {(row["criterion"], row["seed"], row["event"]) for row in widths if row["width"] == 0}
        iterative = table("iterative.csv", ["criterion"], ["seed", "event", "parameters", "macs", *values])
        self.iterative = [row for row in iterative if (row["criterion"], row["seed"], row["event"]) not in empty]
        retrained = table("retrained.csv", ["criterion"],
                          ["seed", "configuration", "event", "parameters", "macs", *values], may_be_empty=True)
        self.retrained = [row for row in retrained if row["criterion"] != "dense"]
        self.cosine = table("cosine.csv", ["criterion"], ["seed", "event", "layer", "average_cosine"],
                            may_be_empty=True)
        self.dense = table("dense.csv", [], ["seed", *values])
        constant = table("constant_predictor.csv", ["metric"], ["value"])
        self.constant = {row["metric"]: row["value"] for row in constant}
        self.run = read_run(os.path.join(folder, "run.json"))
        for row in self.iterative + self.retrained:
            if not row["parameters"] > 0:
                raise TableError(f"{folder}: expected positive parameter counts, found {row['parameters']}")
        self.criteria = list(dict.fromkeys(row["criterion"] for row in self.iterative))


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
