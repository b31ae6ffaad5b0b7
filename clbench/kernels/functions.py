"""The exponential function and what is made of it, for whole vectors of float32.

exp and tanh are those of Moshier's Cephes library (expf, tanhf): an argument is reduced to a small one, whose
polynomial is off by less than two units in the last place.
"""

from __future__ import annotations

import math

import numpy as np

from clbench.kernels.compiler import inline

_LOG2_E, _LN2_HIGH, _LN2_LOW = (
    np.float32(value) for value in (1.44269504088896341, 0.693359375, -2.12194440e-4)
)
_EXP = tuple(
    np.float32(value)
    for value in (
        1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
    )
)  # fmt: skip
_TANH = tuple(
    np.float32(value)
    for value in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
)
_LEAST, _MOST = np.float32(-87.3), np.float32(88.7)
_HALF, _ONE, _TWO, _ZERO, _SMALL = (np.float32(value) for value in (0.5, 1, 2, 0, 0.625))
_SQRT_HALF = np.float32(math.sqrt(0.5))
_DENSITY = np.float32(1.0 / math.sqrt(2.0 * math.pi))


@inline
def exp(x):
    """Return eˣ; 0 below −87.3, where it is smaller than a normal float, and infinite above 88.7."""
    within = min(max(x, _LEAST), _MOST)
    power = np.floor(within * _LOG2_E + _HALF)
    rest = within - power * _LN2_HIGH - power * _LN2_LOW
    found = _EXP[0]
    found = found * rest + _EXP[1]
    found = found * rest + _EXP[2]
    found = found * rest + _EXP[3]
    found = found * rest + _EXP[4]
    found = found * rest + _EXP[5]
    found = found * rest * rest + rest + _ONE
    # 2ⁿ by its bits, in two halves, since 2¹²⁸ is no float.
    half = np.int32(power) >> 1
    found = found * np.int32((half + 127) << 23).view(np.float32)
    found = found * np.int32((np.int32(power) - half + 127) << 23).view(np.float32)
    found = _ZERO if x < _LEAST else found
    found = np.float32(np.inf) if x > _MOST else found
    return found if x == x else x  # NaN stays


@inline
def tanh(x):
    """Return the hyperbolic tangent."""
    size = abs(x)
    square = x * x
    near = _TANH[0]
    near = near * square + _TANH[1]
    near = near * square + _TANH[2]
    near = near * square + _TANH[3]
    near = near * square + _TANH[4]
    near = near * square * x + x
    far = _ONE - _TWO / (exp(size + size) + _ONE)
    far = -far if x < _ZERO else far
    return near if size < _SMALL else far


@inline
def sigmoid(x):
    """Return 1 / (1 + e⁻ˣ)."""
    return _ONE / (_ONE + exp(-x))


@inline
def gelu(x):
    """Return x Φ(x), Φ being the normal distribution function."""
    return x * _HALF * (_ONE + math.erf(x * _SQRT_HALF))


@inline
def gelu_slope(x):
    """Return Φ(x) + x φ(x)."""
    return _HALF * (_ONE + math.erf(x * _SQRT_HALF)) + x * _DENSITY * exp(-_HALF * x * x)
