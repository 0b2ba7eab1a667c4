"""Writes the files of weights that weights_file_test.cpp reads, with PyTorch: make.py FOLDER

The values are those of the test: weight [3, 2] = 0..5, bias [3] = 0.5, 1.5, 2.5, running [2] (double) = 1e300, -1,
count (int64) = 7.
"""
import collections
import pathlib
import sys

import torch


def main():
    folder = pathlib.Path(sys.argv[1])
    weight = torch.arange(6, dtype=torch.float32).view(3, 2)
    entries = [
        ("weight", weight),
        ("bias", torch.tensor([0.5, 1.5, 2.5])),
        ("running", torch.tensor([1e300, -1.0], dtype=torch.float64)),
        ("count", torch.tensor(7)),
    ]
    state_dict = collections.OrderedDict(entries)
    state_dict._metadata = collections.OrderedDict([("", {"version": 1})])  # as modules add it
    torch.save(state_dict, folder / "state_dict.pt")
    torch.save(state_dict, folder / "before_1_6.pth", _use_new_zipfile_serialization=False)
    torch.save(
        {
            "epoch": 3,
            "lr": 0.125,
            "args": {"name": "x", "list": [1, (2, 3, 4, 5)], "large": 1 << 40, "none": None, "yes": True},
            "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 0.999)}]},
            "state_dict": state_dict,
        },
        folder / "checkpoint.pt",
    )
    # Views of one storage, one of them transposed; a parameter instead of a tensor.
    whole = torch.arange(12, dtype=torch.float32)
    views = {"weight": whole[6:].view(2, 3).t(), "bias": torch.nn.Parameter(whole[1:4])}
    torch.save(views, folder / "views.pt")
    torch.save(torch.nn.Linear(2, 3), folder / "module.pt")
    torch.jit.script(torch.nn.Linear(2, 3)).save(str(folder / "script.pt"))


if __name__ == "__main__":
    main()
