"""What one network of the check is: how it is made, example inputs, and the other sizes at which it may run."""
import dataclasses
import typing

import torch


@dataclasses.dataclass
class Network:
    """`inputs` are written as `mtlprune prune-torchscript --input` takes them: 1x3x64x64, 1x12:int64 (drawn below 100)."""
    name: str
    make: typing.Callable[[], torch.nn.Module]
    inputs: typing.List[str]
    sizes: typing.Optional[typing.List[typing.List[str]]] = None  # other sizes to try, instead of the usual ones

    def other_batches(self):
        return [[_text([3, *shape[1:]], kind) for shape, kind in map(_parsed, self.inputs)]]

    def other_sizes(self):
        """Candidates, the best first: another height and width, another length."""
        if self.sizes is not None:
            return self.sizes
        return [[_resized(text, way, i) for i, text in enumerate(self.inputs)] for way in range(3)]


class Called(torch.nn.Module):
    """A network of transformers: takes inputs by name, returns some of its outputs."""

    def __init__(self, network, names=None, outputs=(0,), **options):
        super().__init__()
        self.network, self.names, self.outputs = network, names, outputs
        self.options = {"return_dict": False, **options}

    def forward(self, *inputs):
        found = (self.network(*inputs, **self.options) if self.names is None else
                 self.network(**dict(zip(self.names, inputs)), **self.options))
        return found[0] if self.outputs == (0,) else tuple(found[i] for i in self.outputs)


def draw(text, dtype=torch.float32):
    shape, kind = _parsed(text)
    return torch.randint(0, 100, shape) if kind else torch.randn(*shape, dtype=dtype)


def _parsed(text):
    sizes, _, kind = text.partition(":")
    return [int(size) for size in sizes.split("x")], kind


def _text(shape, kind):
    return "x".join(map(str, shape)) + (":" + kind if kind else "")


def _resized(text, way, position):
    shape, kind = _parsed(text)
    if len(shape) == 2 and kind:  # words
        return _text([shape[0], shape[1] + (5, 4, shape[1])[way] - (position if way == 0 else 0)], kind)
    if len(shape) == 2:  # sound
        return _text([shape[0], shape[1] + (400, 320, shape[1])[way]], kind)
    if len(shape) == 3:  # features over time
        return _text([*shape[:2], shape[2] + (6, 16, shape[2])[way]], kind)
    steps = ((32, 64), (64, 0), (shape[-2], 0))[way]
    return _text([*shape[:-2], shape[-2] + steps[0], shape[-1] + steps[1]], kind)
