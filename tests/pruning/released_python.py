"""Running released code from its files, without its programs, on the golden network."""
import ast
import contextlib
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden"))
from networks import NETWORKS  # noqa: E402

WEIGHTS, DATA = NETWORKS["two_tasks"].read()


class Network(torch.nn.Module):
    """two_tasks of modules that released code may bring; the outputs of both tasks behind one another."""

    def __init__(self, convolution=torch.nn.Conv2d, norm=torch.nn.BatchNorm2d, gate=lambda width: torch.nn.Identity()):
        super().__init__()
        self.first, self.norm, self.first_gate = convolution(3, 6, 3, padding=1), norm(6), gate(6)
        self.second, self.second_gate = convolution(6, 5, 3, padding=1), gate(5)
        self.left, self.right = convolution(5, 2, 1), convolution(5, 3, 1)
        self.double()
        self.load_state_dict(WEIGHTS, strict=False)
        self.eval()

    def forward(self, x):
        x = self.first_gate(torch.relu(self.norm(self.first(x))))
        x = self.second_gate(torch.relu(self.second(x)))
        return torch.cat([self.left(x), self.right(x)], 1)


def loss_of(output, target):
    return ((output[:, :2] - target[:, :2]) ** 2).mean() + (output[:, 2:] - target[:, 2:]).abs().mean()


def batches():
    return [(images, torch.cat(targets, 1)) for images, targets in DATA]


@contextlib.contextmanager
def importing_from(folder):
    """Its modules have names like `utils` that all of these repositories use."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]


def defined_in(path, names, given):
    """Classes and functions out of a file that cannot be imported (it parses arguments, or needs an old Python)."""
    text = path.read_text().replace("async=True", "non_blocking=True")
    wanted = [node for node in ast.parse(text).body if getattr(node, "name", None) in names]
    given = dict(given)
    exec(compile(ast.Module(wanted, []), str(path), "exec"), given)
    return given


@contextlib.contextmanager
def on_the_processor():
    before = torch.Tensor.cuda
    torch.Tensor.cuda = lambda self, *_, **__: self
    try:
        yield
    finally:
        torch.Tensor.cuda = before
