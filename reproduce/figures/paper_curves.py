"""The published curves, digitised, drawn faintly behind a run at the paper's scale."""
import os

from style import look_of
from tables import contains_setting, read_table

PANELS = {"pixel_accuracy": "pixel_acc_percent", "rel_err": "rel_err", "angle_mean": "angle_mean_deg"}


class PaperCurves:
    """Empty unless the run is at scale "paper"."""

    def __init__(self, folder, run):
        self.shown = run.get("scale") == "paper"
        # The published mean angle is taken on 8-bit codes, not on decoded normals.
        self.angles_comparable = contains_setting(run, "normals", "paper_codes")
        self.curves = {}
        if not self.shown:
            return
        for name in ("paper_fig1_dense", "paper_fig3"):
            self.curves[name] = read_table(os.path.join(folder, name + ".csv"), ["panel", "method"],
                                           ["params_millions", "value"])
        self.events = read_table(os.path.join(folder, "paper_params_vs_iter.csv"), ["method"],
                                 ["pruning_iteration_index", "params_millions"])

    def draw(self, axes, name, metric, size_axis, criteria, suffix="", dashes="-"):
        """The curves of both methods; `suffix` picks Figure 3's "iter. pruning" lines."""
        if not self.shown or (metric == "angle_mean" and not self.angles_comparable):
            return
        for criterion, method in (("taylor", "Taylor"), ("cosprune", "CosPrune")):
            points = [(row["params_millions"], row["value"]) for row in self.curves[name]
                      if row["panel"] == PANELS[metric] and row["method"] == method + suffix]
            points.sort(reverse=True)
            axes.plot([size_axis.place(x) for x, _ in points], [y for _, y in points], ls=dashes, lw=2.6, alpha=0.28,
                      color=look_of(criteria, criterion)[0], zorder=1.2, solid_capstyle="round")

    def draw_events(self, axes, criteria):
        """Remaining parameters by pruning event (Figure 2)."""
        if not self.shown:
            return
        for criterion, method in (("taylor", "Taylor"), ("cosprune", "CosPrune")):
            points = sorted({(row["pruning_iteration_index"], row["params_millions"]) for row in self.events
                             if row["method"] == method})
            axes.plot([x for x, _ in points], [y for _, y in points], lw=2.6, alpha=0.28, zorder=1.2,
                      color=look_of(criteria, criterion)[0])

    def note(self):
        if not self.shown:
            return ""
        angles = "" if self.angles_comparable else " (not its mean angle, which is taken on undecoded normals)"
        return f"\nBroad pale lines: the published curves, read off the paper's figures{angles}."
