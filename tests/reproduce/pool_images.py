"""Pools the metrics of single images and compares with the table of results: pool_images.py STAGE_FOLDER"""
import csv
import sys

import numpy

LINEAR = {"segmentation": ["pixel_accuracy"], "normals": ["angle_mean", "within_11.25", "within_22.5", "within_30"],
          "depth": ["abs_err", "rel_err", "delta1", "delta2", "delta3"]}

folder = sys.argv[1]
images = numpy.load(folder + "/test_images.npz")
with open(folder + "/results.csv", newline="") as file:
    rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
agreed = set()
for network, step in enumerate(images["step"]):
    for row in rows:
        if int(row["step"]) != step or row["metric"] not in LINEAR[row["task"]]:
            continue
        weights = images["labelled." + row["task"]]
        pooled = numpy.nansum(images[row["metric"]][network] * weights) / weights.sum()
        if abs(pooled - float(row["value"])) > 1e-4 * max(1.0, abs(pooled)):
            sys.exit(f"{row}: the images give {pooled}")
        agreed.add(row["metric"])
print(f"{len(images['step'])} networks, {len(images['labelled.depth'])} images, {len(agreed)} metrics agree")
