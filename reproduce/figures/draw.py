#!/usr/bin/env python3
"""Draws Figures 1-3 from results.csv and run.json of a results folder, with the numbers behind every line as CSV beside them."""
import argparse
import os
import sys

sys.dont_write_bytecode = True

try:
    import matplotlib  # noqa: F401
    import numpy  # noqa: F401
except ImportError as reason:
    sys.exit(f"error: the figures need matplotlib and numpy for {sys.executable}: {reason}")

import figure1  # noqa: E402  (after the check above)
import figure2  # noqa: E402
import figure3  # noqa: E402
from paper_curves import PaperCurves  # noqa: E402
from size_axis import PublishedAxis, TrueAxis  # noqa: E402
from style import PLOT_SETTINGS  # noqa: E402
from tables import Results, TableError  # noqa: E402


def read_arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", help="folder with results.csv and run.json; figures are written there")
    parser.add_argument("--axis", choices=["true", "paper"], default="true",
                        help="true: logarithmic parameter counts; paper: the published ordinal axis with its labels "
                        "(files named *_paper_axis)")
    parser.add_argument("--paper-curves", default=os.path.join(here, "..", "paper_curves"),
                        help="folder with the digitised published curves, drawn at scale 'paper'")
    return parser.parse_args()


def draw_all(arguments):
    results = Results(arguments.results)
    paper = PaperCurves(arguments.paper_curves, results.run)
    ordinal = arguments.axis == "paper"
    axis1 = PublishedAxis(figure1.sizes_of(results)) if ordinal else TrueAxis()
    with matplotlib.rc_context(PLOT_SETTINGS):
        figure1.draw_figure1(results, axis1, paper, arguments.results)
        figure2.draw_figure2(results, paper, arguments.results)
        if results.retrained:
            axis3 = PublishedAxis(figure3.sizes_of(results)) if ordinal else TrueAxis()
            figure3.draw_figure3(results, axis3, paper, arguments.results)


def main():
    arguments = read_arguments()
    try:
        draw_all(arguments)
    except (TableError, OSError) as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
