"""Running released code from its files, without its programs."""
import ast
import contextlib
import sys

import torch


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
