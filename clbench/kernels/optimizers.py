"""Steps of the optimisers on some parameters; the formulas stand at the optimisers themselves."""

from __future__ import annotations

import math

import numpy as np

from clbench.kernels.compiler import kernel
from clbench.kernels.memory import doubles, floats

SGD, ADAM, ADAMW, ADAGRAD = range(4)
NUMBERS = 5
"""What a lane has in float64: lr, β₁ (SGD: momentum; Adagrad: decay of lr), β₂, ε, weight decay."""

_ZERO = np.float32(0)


@kernel
def step_sgd(count: int, numbers: int, theta: int, gradient: int, momentum: int) -> None:
    """Take a step of stochastic gradient descent; `momentum` is not read where there is none."""
    number, own, slope = doubles(numbers, NUMBERS), floats(theta, count), floats(gradient, count)
    lr, mu, decay = np.float32(number[0]), np.float32(number[1]), np.float32(number[4])
    if mu == _ZERO:
        for place in range(count):
            own[place] -= lr * (slope[place] + decay * own[place])
    else:
        moved = floats(momentum, count)
        for place in range(count):
            velocity = mu * moved[place] + (slope[place] + decay * own[place])
            moved[place] = velocity
            own[place] -= lr * velocity


@kernel
def step_adam(
    count: int, decoupled: int, numbers: int, steps: int, theta: int, gradient: int, first: int, second: int
) -> None:
    """Take a step of Adam, or of AdamW where the weight decay is decoupled.

    Args:
        count: of the parameters.
        decoupled: whether it is AdamW.
        numbers: address, see `NUMBERS`.
        steps: taken, this one included.
        theta, gradient, first, second: addresses of the parameters, their gradient and moments.
    """
    number, own, slope = doubles(numbers, NUMBERS), floats(theta, count), floats(gradient, count)
    mean, square = floats(first, count), floats(second, count)
    lr, beta1, beta2, decay = number[0], number[1], number[2], number[4]
    step = np.float32(lr / (1.0 - beta1**steps))
    root = np.float32(1.0 / math.sqrt(1.0 - beta2**steps))
    eps, kept = np.float32(number[3]), np.float32(1.0 - lr * decay if decoupled else 1.0)
    coupled = np.float32(0.0 if decoupled else decay)
    old1, new1 = np.float32(beta1), np.float32(1.0 - beta1)
    old2, new2 = np.float32(beta2), np.float32(1.0 - beta2)
    for place in range(count):
        used = slope[place] + coupled * own[place]
        new_mean = old1 * mean[place] + new1 * used
        new_square = old2 * square[place] + new2 * used * used
        mean[place], square[place] = new_mean, new_square
        own[place] = kept * own[place] - step * new_mean / (np.sqrt(new_square) * root + eps)


@kernel
def step_adagrad(count: int, numbers: int, steps: int, theta: int, gradient: int, total: int) -> None:
    """Take a step of Adagrad; see `step_adam`. `total` has the sum of squares."""
    number, own, slope = doubles(numbers, NUMBERS), floats(theta, count), floats(gradient, count)
    summed = floats(total, count)
    rate = np.float32(number[0] / (1.0 + (steps - 1.0) * number[1]))
    eps, decay = np.float32(number[3]), np.float32(number[4])
    for place in range(count):
        used = slope[place] + decay * own[place]
        square = summed[place] + used * used
        summed[place] = square
        own[place] -= rate * used / (np.sqrt(square) + eps)
