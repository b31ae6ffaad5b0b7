"""Activations, and the errors that come back through them."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import kernel
from clbench.kernels.functions import gelu, gelu_slope, sigmoid, tanh
from clbench.kernels.memory import floats

IDENTITY, RELU, TANH, SIGMOID, GELU = range(5)
CODES = {"identity": IDENTITY, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "gelu": GELU}
"""The activations by name."""

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def activate(code: int, count: int, before: int, after: int) -> None:
    """Write f(`before`) into `after`, which may be the same place."""
    given, found = floats(before, count), floats(after, count)
    if code == TANH:
        for place in range(count):
            found[place] = tanh(given[place])
    elif code == SIGMOID:
        for place in range(count):
            found[place] = sigmoid(given[place])
    elif code == GELU:
        for place in range(count):
            found[place] = gelu(given[place])
    elif code == RELU:
        for place in range(count):
            found[place] = _ZERO if given[place] < _ZERO else given[place]
    else:
        for place in range(count):
            found[place] = given[place]


@kernel
def send_through(code: int, count: int, errors: int, before: int, after: int) -> None:
    """Multiply `errors`, ∂loss/∂f, by f′, in place.

    Args:
        code: of the activation.
        count: of the entries.
        errors, before, after: addresses of the errors, of what f was given (read for gelu only) and gave.
    """
    error, given, found = floats(errors, count), floats(before, count), floats(after, count)
    if code == RELU:
        for place in range(count):
            error[place] = _ZERO if found[place] <= _ZERO else error[place]
    elif code == TANH:
        for place in range(count):
            error[place] *= _ONE - found[place] * found[place]
    elif code == SIGMOID:
        for place in range(count):
            error[place] *= found[place] * (_ONE - found[place])
    elif code == GELU:
        for place in range(count):
            error[place] *= gelu_slope(given[place])
