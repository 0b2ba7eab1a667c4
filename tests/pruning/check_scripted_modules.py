#!/usr/bin/env python3
"""Prune modules of torch.nn once scripted and once traced and compare.

usage: check_scripted_modules.py MTLPRUNE_BINARY [NAME ...]        (needs PyTorch; exit code 77 without)

Right is: both keep the same share of the parameters, fewer than all; the pruned scripted module computes what
the original computes with the removed slices at zero (where nothing normalises over channels), on the example
and at another size, with and without gradients.
"""
import copy, json, os, subprocess, sys, tempfile
os.environ.setdefault('OMP_NUM_THREADS', '1')
try:
    import torch
except ImportError:
    sys.exit(77)
from typing import Dict, List, Optional, Tuple
from torch import nn, Tensor


class Between(nn.Module):
    """Linear layer, the module, linear layer."""
    def __init__(self, core, width=16, out=None):
        super().__init__()
        self.first, self.core, self.last = nn.Linear(8, width), core, nn.Linear(out or width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(self.first(x)))


class Recurrent(nn.Module):
    """The outputs of a recurrent layer."""
    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, x: Tensor) -> Tensor:
        return self.core(x)[0]


class WithState(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.core, self.last = nn.Linear(8, 16), nn.LSTM(16, 12, batch_first=True), nn.Linear(12, 4)
        self.h, self.c = nn.Linear(8, 12), nn.Linear(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        start = x[:, 0].unsqueeze(0)
        return self.last(self.core(self.first(x), (self.h(start), self.c(start)))[0])


class Decoder(nn.Module):
    def __init__(self, norm_first=False):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)
        self.core = nn.TransformerDecoderLayer(16, 4, 32, batch_first=True, norm_first=norm_first)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        return self.last(self.core(self.first(x), self.first(memory)))


class Attention(nn.Module):
    def __init__(self, cross=False, **options):
        super().__init__()
        self.cross = cross
        self.first, self.second, self.last = nn.Linear(8, 16), nn.Linear(8, 16), nn.Linear(16, 4)
        self.core = nn.MultiheadAttention(16, 4, batch_first=True, **options)

    def forward(self, x: Tensor) -> Tensor:
        q = self.first(x)
        k = self.second(x) if self.cross else q
        return self.last(self.core(q, k, k, need_weights=False)[0])


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)
        self.core = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q = self.first(x)
        return self.last(self.core(q, q, q, key_padding_mask=mask, need_weights=False)[0])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)
        self.core = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(self.first(x)))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.core, self.last = nn.Linear(8, 16), nn.Linear(8, 16), nn.Bilinear(16, 16, 12), nn.Linear(12, 4)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.last(torch.relu(self.core(self.a(x), self.b(y))))


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.core, self.last = nn.EmbeddingBag(30, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(x))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.core, self.norm, self.last = nn.Embedding(30, 16, padding_idx=0), nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.core(x)))


def image(*core, out=12):
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), *core, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(out, 4))


def rows(*shape): return [(shape, 'float32', 0)]
S, SB = rows(2, 6, 8), rows(3, 9, 8)                  # example and another size
I, IB = rows(1, 3, 16, 16), rows(2, 3, 24, 16)
T, TB = [((2, 6), 'int64', 30)], [((3, 9), 'int64', 30)]
CASES = {
    'lstm': (lambda: Between(Recurrent(nn.LSTM(16, 12, batch_first=True)), out=12), S, SB),
    'lstm_two_layers': (lambda: Between(Recurrent(nn.LSTM(16, 12, 2)), out=12), S, SB),
    'lstm_bidirectional': (lambda: Between(Recurrent(nn.LSTM(16, 12, 2, bidirectional=True)), out=24), S, SB),
    'lstm_projection': (lambda: Between(Recurrent(nn.LSTM(16, 12, proj_size=10)), out=10), S, SB),
    'lstm_state': (WithState, S, SB),
    'gru': (lambda: Between(Recurrent(nn.GRU(16, 12, 2, batch_first=True)), out=12), S, SB),
    'rnn': (lambda: Between(Recurrent(nn.RNN(16, 12, bidirectional=True)), out=24), S, SB),
    'encoder_layer': (lambda: Between(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)), S, SB),
    'encoder_layer_norm_first': (lambda: Between(nn.TransformerEncoderLayer(16, 4, 32, norm_first=True)), S, SB),
    'encoder_layer_gelu': (lambda: Between(nn.TransformerEncoderLayer(16, 4, 32, activation='gelu', batch_first=True)), S, SB),
    'encoder': (Encoder, S, SB),
    'decoder_layer': (Decoder, S + rows(2, 5, 8), SB + rows(3, 4, 8)),
    'self_attention': (Attention, S, SB),
    'cross_attention': (lambda: Attention(cross=True), S, SB),
    'attention_mask': (Masked, S + [((2, 6), 'bool', 0)], SB + [((3, 9), 'bool', 0)]),
    'bilinear': (TwoInputs, rows(2, 8) * 2, rows(5, 8) * 2),
    'embedding': (Words, T, TB),
    'embedding_bag': (Bag, T, TB),
    'batch_norm': (lambda: image(nn.BatchNorm2d(12), nn.ReLU()), I, IB),
    'instance_norm': (lambda: image(nn.InstanceNorm2d(12, affine=True), nn.ReLU()), I, IB),
    'group_norm': (lambda: image(nn.GroupNorm(3, 12), nn.SiLU()), I, IB),
    'prelu': (lambda: image(nn.PReLU(12)), I, IB),
    'depthwise': (lambda: image(nn.Conv2d(12, 12, 3, groups=12), nn.Hardswish(), nn.Conv2d(12, 12, 1)), I, IB),
    'transposed': (lambda: image(nn.ConvTranspose2d(12, 10, 2, 2), nn.LeakyReLU(), out=10), I, IB),
    'upsample': (lambda: image(nn.Upsample(scale_factor=2.0, mode='bilinear'), nn.Conv2d(12, 12, 3)), I, IB),
    'pixel_shuffle': (lambda: image(nn.Conv2d(12, 40, 1), nn.PixelShuffle(2), nn.ELU(), out=10), I, IB),
    'max_pool': (lambda: image(nn.MaxPool2d(2), nn.Dropout(), nn.Softplus()), I, IB),
}


def draw(specs):
    torch.manual_seed(0)
    return [torch.randint(0, high, shape) if kind == 'int64' else
            torch.zeros(shape, dtype=torch.bool) if kind == 'bool' else torch.randn(shape) for shape, kind, high in specs]


def text(spec):
    shape, kind, high = spec
    return 'x'.join(map(str, shape)) + ('' if kind == 'float32' else f':{kind}<{high}' if high else f':{kind}')


def prune(binary, folder, module, specs):
    module.save(f'{folder}/in.pt')
    command = [binary, 'prune-torchscript', f'{folder}/in.pt', '--out', f'{folder}/out.pt', '--plan', f'{folder}/plan.json']
    for spec in specs: command += ['--input', text(spec)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode: return None, run.stderr.strip()[:300], None
    report, plan = json.loads(run.stdout), json.load(open(f'{folder}/plan.json'))
    return report['after']['parameters'] / report['before']['parameters'], report['notes'], plan['removed']


def check(binary, name, make, specs, other):
    torch.manual_seed(1)
    net = make().eval()
    with tempfile.TemporaryDirectory() as folder:
        traced_left, traced_note, _ = prune(binary, folder, torch.jit.trace(net, draw(specs), check_trace=False), specs)
        left, notes, removed = prune(binary, folder, torch.jit.script(net), specs)
        if left is None: return False, f'scripted: {notes}'
        pruned = torch.jit.load(f'{folder}/out.pt')
        zeroed = copy.deepcopy(net)
        tensors = {**dict(zeroed.named_parameters()), **dict(zeroed.named_buffers())}
        with torch.no_grad():
            for r in removed:
                if r['tensor'] in tensors: tensors[r['tensor']].index_fill_(r['dim'], torch.tensor(r['indices']), 0)
        exact = not any(isinstance(m, (nn.LayerNorm, nn.GroupNorm)) for m in net.modules())
        worst = 0.0
        for gradients in (False, True):
            for inputs in (specs, other):
                with torch.set_grad_enabled(gradients):
                    try: found = pruned(*draw(inputs))
                    except Exception as error:
                        return False, f'left {left:.3f}, fails with gradients {gradients} at {inputs}: {str(error).strip().splitlines()[-1][:120]}'
                    expected = zeroed(*draw(inputs))
                if found.shape != expected.shape: return False, f'shape {found.shape}'
                if exact: worst = max(worst, ((found - expected).norm() / (expected.norm() + 1e-12)).item())
        same = traced_left is None or abs(left - traced_left) < 1e-9
        traced_text = f'{traced_left:.3f}' if traced_left is not None else f'fails ({traced_note[:80]})'
        return same and left < 1 and worst < 2e-5, f'left {left:.3f}, traced {traced_text}, error {worst:.1e} {notes}'


def main():
    names = sys.argv[2:] or list(CASES)
    right = 0
    for name in names:
        try: ok, note = check(sys.argv[1], name, *CASES[name])
        except Exception as error: ok, note = False, f'{type(error).__name__}: {str(error).strip().splitlines()[-1][:200]}'
        right += ok
        print(f'{name:26s} {"right" if ok else "WRONG"} {note}', flush=True)
    print(f'right {right} of {len(names)}')
    return 0 if right == len(names) else 1


if __name__ == '__main__':
    sys.exit(main())
