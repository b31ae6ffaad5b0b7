"""Steps of the optimisers against those of torch in float64, fifty of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from guarded import at

from clbench.kernels.optimizers import step_adagrad, step_adam, step_sgd

STEPS = 50
COUNTS = [1, 3, 17, 33, 100]


def numbers(lr, second=0.0, third=0.0, eps=0.0, decay=0.0):
    return np.array([lr, second, third, eps, decay])


SGD = {
    "plain": (numbers(0.05), {"lr": 0.05}),
    "decay": (numbers(0.05, decay=0.1), {"lr": 0.05, "weight_decay": 0.1}),
    "momentum": (numbers(0.02, 0.9), {"lr": 0.02, "momentum": 0.9}),
    "both": (numbers(0.02, 0.9, decay=0.1), {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
}
ADAM = {
    "plain": (numbers(0.01, 0.9, 0.999, 1e-8), {"lr": 0.01}),
    "decay": (numbers(0.01, 0.9, 0.999, 1e-8, 0.1), {"lr": 0.01, "weight_decay": 0.1}),
    "other": (numbers(0.1, 0.5, 0.9, 1e-3), {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
}
ADAGRAD = {
    "plain": (numbers(0.1, eps=1e-10), {"lr": 0.1}),
    "both": (
        numbers(0.1, 0.2, 0.0, 1e-6, 0.1),
        {"lr": 0.1, "lr_decay": 0.2, "eps": 1e-6, "weight_decay": 0.1},
    ),
}
CASES = [
    *((torch.optim.SGD, *case) for case in SGD.values()),
    *((kind, *case) for kind in (torch.optim.Adam, torch.optim.AdamW) for case in ADAM.values()),
    *((torch.optim.Adagrad, *case) for case in ADAGRAD.values()),
]


def step(kind, count, number, taken, theta, gradient, first, second):
    """Take a step by the kernel."""
    if kind is torch.optim.SGD:
        step_sgd.python(count, at(number), at(theta), at(gradient), at(first) if number[1] else 0)
    elif kind is torch.optim.Adagrad:
        step_adagrad.python(count, at(number), taken, at(theta), at(gradient), at(first))
    else:
        decoupled, places = int(kind is torch.optim.AdamW), (theta, gradient, first, second)
        step_adam.python(count, decoupled, at(number), taken, *map(at, places))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind, number, options", CASES)
def test_fifty_steps_are_those_of_torch(memory, kind, number, options, count):
    random = np.random.default_rng(count)
    start, gradients = random.standard_normal(count), random.standard_normal((STEPS, count)) + 0.3
    gradients = gradients.astype(np.float32)
    exact = torch.tensor(start.astype(np.float32), dtype=torch.float64, requires_grad=True)
    options = {"weight_decay": 0.0, **options}
    optimizer = kind([exact], **options)
    theta, held = memory.wanted(start.astype(np.float32)), memory.given(number)
    first, second = (memory.wanted(np.zeros(count, np.float32)) for _ in range(2))
    for taken, gradient in enumerate(gradients):
        step(kind, count, held, taken + 1, theta, memory.given(gradient), first, second)
        exact.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    np.testing.assert_allclose(theta, exact.detach().numpy(), rtol=2e-5, atol=2e-5)


def test_a_gradient_of_zero_moves_nothing(memory):
    zero, start = memory.given(np.zeros(17, np.float32)), np.arange(17, dtype=np.float32)
    for kind, number, options in CASES:
        if "weight_decay" not in options:
            theta = memory.wanted(start)
            moments = [memory.wanted(np.zeros(17, np.float32)) for _ in range(2)]
            step(kind, 17, memory.given(number), 1, theta, zero, *moments)
            assert (theta == start).all()
