"""What else a step does to all parameters alike: copies, rates, and sums over the steps."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import kernel
from clbench.kernels.memory import floats

_ZERO = np.float32(0)


@kernel
def copy(count: int, source: int, out: int) -> None:
    """Copy floats."""
    given, found = floats(source, count), floats(out, count)
    for place in range(count):
        found[place] = given[place]


@kernel
def hold(count: int, rates: int, gradient: int) -> None:
    """Put the gradient of frozen parameters, whose rate is 0, to 0."""
    rate, slope = floats(rates, count), floats(gradient, count)
    for place in range(count):
        slope[place] = _ZERO if rate[place] == _ZERO else slope[place]


@kernel
def rescale_step(count: int, rates: int, theta: int, before: int) -> None:
    """Replace θ by θ_before + rate · (θ − θ_before); frozen entries keep their very bits."""
    rate, own, old = floats(rates, count), floats(theta, count), floats(before, count)
    for place in range(count):
        moved = old[place] + rate[place] * (own[place] - old[place])
        own[place] = old[place] if rate[place] == _ZERO else moved


@kernel
def add_path(count: int, gradient: int, theta: int, before: int, path: int) -> None:
    """Subtract g · (θ_after − θ_before) from `path`."""
    slope, own, old, found = (
        floats(gradient, count), floats(theta, count), floats(before, count), floats(path, count),
    )  # fmt: skip
    for place in range(count):
        found[place] -= slope[place] * (own[place] - old[place])


@kernel
def add_squares(count: int, gradient: int, squares: int) -> None:
    """Add g² to `squares`."""
    slope, found = floats(gradient, count), floats(squares, count)
    for place in range(count):
        found[place] += slope[place] * slope[place]


@kernel
def set_squares(count: int, gradient: int, squares: int) -> None:
    """Write g² into `squares`."""
    slope, found = floats(gradient, count), floats(squares, count)
    for place in range(count):
        found[place] = slope[place] * slope[place]
