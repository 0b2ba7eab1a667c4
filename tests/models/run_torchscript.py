"""Runs TorchScript files that the project wrote and compares with what it computed: run_torchscript.py FOLDER

FOLDER holds NAME.pt and NAME.expected.pt (buffers "image", "prediction0", "prediction1", ...). Exit code 77: there is no
PyTorch.
"""
import pathlib
import sys

try:
    import torch
except ImportError:
    sys.exit(77)


def main():
    failed = False
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.pt")):
        if path.name.endswith(".expected.pt"):
            continue
        expected = dict(torch.jit.load(str(path.with_suffix(".expected.pt"))).named_buffers())
        predictions = torch.jit.load(str(path))(expected["image"])
        for number, found in enumerate(predictions):
            truth = expected[f"prediction{number}"]
            error = (found - truth).abs().max() / truth.abs().max()
            if not error < 1e-5:
                print(f"{path.name}: prediction {number} differs by {error}")
                failed = True
        names = set(dict(torch.jit.load(str(path)).state_dict()))
        if not names or any("." not in name for name in names):
            print(f"{path.name}: names of parameters: {sorted(names)[:5]}")
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
