"""Prints the table of learning_rate_test.cpp: rates by torch.optim.lr_scheduler (PyTorch 1.13).

python3 tests/training/learning_rates.py
"""
import torch
from torch.optim.lr_scheduler import (ChainedScheduler, ConstantLR, CosineAnnealingLR, LinearLR, PolynomialLR,
                                      StepLR)

ITERATIONS = 12
SCHEDULES = {
    "constant": lambda optimizer: ConstantLR(optimizer, factor=1.0),
    "cosine": lambda optimizer: CosineAnnealingLR(optimizer, T_max=8, eta_min=0.0),
    "step": lambda optimizer: StepLR(optimizer, step_size=3, gamma=0.5),
    "poly": lambda optimizer: PolynomialLR(optimizer, total_iters=10, power=0.9),
}


def rates(kind, warm_up):
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=0.2)
    schedulers = []
    if warm_up > 1:
        schedulers.append(LinearLR(optimizer, start_factor=1 / warm_up, total_iters=warm_up - 1))
    schedulers.append(SCHEDULES[kind](optimizer))
    scheduler = ChainedScheduler(schedulers)
    values = []
    for _ in range(ITERATIONS):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


for name in SCHEDULES:
    for steps in (0, 4):
        print(f'{{"{name}", {steps}, {{{", ".join(f"{rate:.15g}" for rate in rates(name, steps))}}}}},')
