#!/usr/bin/env python3
"""Scores of every criterion on fixed networks, from what papers and docs/pruning.md say, by automatic differentiation and plain
loops in float64; independent of the library.

    derive_scores.py                    # scores.json of the committed weights (PyTorch 1.13)
    derive_scores.py --draw-networks    # new weights and mini-batches first

scores.json: per network "scores" (criterion with options -> a list per group), "orders" (where only the order is specified:
[group, channel], what leaves first in front), "after_an_event" (one mini-batch, an event that takes nothing, another mini-batch);
"proximal": y, the metric, and the solution per strength.
"""
import argparse
import json

import torch

import of_answers
import of_gradients
import of_passes
import of_weights
from evidence import Evidence
from networks import FOLDER, NETWORKS, write_networks


def order_of(scores):
    channels = [(value.item(), g, c) for g, group in enumerate(scores) for c, value in enumerate(group)]
    return [[g, c] for _, g, c in sorted(channels)]


def orders_of(d):
    return {"safe_pruning": of_gradients.safe_order(d),
            "safe_pruning:penalising=raw,aggregate=mean,absolute": of_gradients.safe_order(d, "raw", "mean", 1),
            "cosprune:zero_gradient=first": order_of(of_gradients.cosprune(d, zero=-1.0))}


def proximal_steps():
    """Per input channel of `second`, its slice; per strength, what the step makes of it."""
    weights, batches = NETWORKS["two_tasks"].read()
    y = weights["second.weight"].transpose(0, 1).flatten(1).numpy()
    metric = torch.cat([images.flatten() for images, _ in batches]).abs()[:y.size].view(y.shape).numpy() + 0.1
    solutions = {str(strength): [of_passes.proximal(*rows, strength).tolist() for rows in zip(y, metric)] for strength in (0.5, 2.5)}
    return {"y": y.tolist(), "metric": metric.tolist(), "solutions": solutions}


def lists(forms):
    return {form: [group.detach().tolist() for group in scores] for form, scores in forms.items()}


def derived(network):
    d = Evidence(network)
    scores = {**of_weights.forms(d), **of_gradients.forms(d), **of_passes.forms(d)}
    return {"groups": [group.name for group in network.groups], "scores": lists(scores), "orders": orders_of(d),
            "after_an_event": lists(of_gradients.forms_after_an_event(d))}


def text_of(value, indent=""):
    """JSON with one line per form."""
    if not isinstance(value, dict):
        return json.dumps(value)
    inner = indent + " "
    return "{\n" + ",\n".join(f"{inner}{json.dumps(key)}: {text_of(each, inner)}" for key, each in value.items()) + f"\n{indent}}}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--draw-networks", action="store_true")
    if arguments.parse_args().draw_networks:
        write_networks()
    found = {name: derived(NETWORKS[name]) for name in ("two_tasks", "residual")}
    one = Evidence(NETWORKS["one_answer"])  # one answer in a place: ThiNet draws none, and no two of PFP's sensitivities are 1
    found["one_answer"] = {"groups": ["first"], "scores": lists({"thinet": of_answers.thinet(one), "pfp": of_answers.pfp(one),
                                                                 "channel_lasso": of_answers.lasso_entries(one)})}
    found["two_tasks"]["scores"].update(lists({"channel_lasso": of_answers.lasso_entries(Evidence(NETWORKS["two_tasks"]))}))
    found["proximal"] = proximal_steps()
    (FOLDER / "scores.json").write_text(text_of(found) + "\n")


if __name__ == "__main__":
    main()
