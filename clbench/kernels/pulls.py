"""Pulls of the parameters: gradients, decoupled steps; the formulas stand in `clbench.penalty.distances`.

A weight or rate has one number for all parameters, or one for each: its stride is 0 or 1.
"""

from __future__ import annotations

import math

import numpy as np

from clbench.kernels.compiler import kernel
from clbench.kernels.memory import floats

L2, L1, NORM = range(3)
CODES = {"l2": L2, "l1": L1, "norm": NORM}
"""The distances by name."""

_ZERO = np.float32(0)


@kernel
def length(count: int, theta: int, anchor: int, weight: int, weight_stride: int) -> float:
    """Return √Σ (w (θ − θ*))², summed in double precision; without a weight (address 0) w is 1."""
    own, held, total = floats(theta, count), floats(anchor, count), 0.0
    if weight:
        pull = floats(weight, count)
        for place in range(count):
            pulled = pull[place * weight_stride] * (own[place] - held[place])
            total += np.float64(pulled) * np.float64(pulled)
    else:
        for place in range(count):
            apart = np.float64(own[place] - held[place])
            total += apart * apart
    return math.sqrt(total)


@kernel
def add_pull(
    distance: int,
    count: int,
    theta: int,
    anchor: int,
    weight: int,
    weight_stride: int,
    inverse: float,
    total: int,
) -> None:
    """Add a pull's gradient to `total`.

    Args:
        distance: l2, l1 or norm.
        count: of the parameters.
        theta, anchor, weight, total: addresses.
        weight_stride: see above.
        inverse: of a norm, 1 / `length` of the whole tensor, 0 where that is 0.
    """
    own, held, pull, found = (
        floats(theta, count), floats(anchor, count), floats(weight, count), floats(total, count),
    )  # fmt: skip
    if weight_stride == 0:
        one = pull[0]
        if distance == L2:
            for place in range(count):
                found[place] += one * (own[place] - held[place])
        elif distance == L1:
            for place in range(count):
                found[place] += one * np.sign(own[place] - held[place])
        else:
            for place in range(count):
                found[place] += one * one * (own[place] - held[place]) * inverse
    elif distance == L2:
        for place in range(count):
            found[place] += pull[place] * (own[place] - held[place])
    elif distance == L1:
        for place in range(count):
            found[place] += pull[place] * np.sign(own[place] - held[place])
    else:
        for place in range(count):
            found[place] += pull[place] * pull[place] * (own[place] - held[place]) * inverse


@kernel
def shrink(
    distance: int, count: int, theta: int, before: int, anchor: int, weight: int, weight_stride: int,
    rate: int, rate_stride: int, size: float,
) -> None:  # fmt: skip
    """Take the decoupled step of a pull, in place.

    Args:
        distance: l2, l1 or norm.
        count: of the parameters.
        theta, before: addresses of the parameters after and before the optimiser's step.
        anchor, weight, rate: addresses.
        weight_stride, rate_stride: see above.
        size: of a norm, ‖θ − θ*‖ of the whole tensor.
    """
    own, old, held = floats(theta, count), floats(before, count), floats(anchor, count)
    pull, pace = floats(weight, count), floats(rate, count)
    for place in range(count):
        step = pull[place * weight_stride] * pace[place * rate_stride]
        apart = own[place] - held[place]
        if distance == L2:
            own[place] -= (old[place] - held[place]) * step
        elif distance == L1:
            own[place] = held[place] if abs(apart) <= step else own[place] - np.sign(apart) * step
        else:
            own[place] = held[place] if size <= step else own[place] - apart * (step / size)
