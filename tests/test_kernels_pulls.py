"""Pulls against their formulas in float64: gradients, decoupled steps, lengths."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from guarded import at

from clbench.kernels.pulls import CODES, add_pull, length, shrink

COUNTS = [1, 3, 17, 33, 100]


def draw(count, seed):
    return np.random.default_rng((seed, count)).standard_normal(count).astype(np.float32)


def weights(count, stride, seed=3):
    """Return a weight for each, or one."""
    return np.abs(draw(count if stride else 1, seed))


def placed(count):
    """Return θ and its anchor; every third entry lies on the anchor."""
    theta, anchor = draw(count, 0), draw(count, 1)
    anchor[::3] = theta[::3]
    return theta, anchor


@pytest.mark.parametrize("stride", [0, 1])
@pytest.mark.parametrize("count", COUNTS)
def test_length(memory, count, stride):
    (theta, anchor), weight = placed(count), weights(count, stride)
    own, held, pull = memory.given(theta), memory.given(anchor), memory.given(weight)
    apart = theta.astype(float) - anchor
    found = length.python(count, at(own), at(held), at(pull), stride)
    assert found == pytest.approx(np.sqrt(((weight * apart) ** 2).sum()), rel=1e-6)
    assert length.python(count, at(own), at(held), 0, 0) == pytest.approx(np.sqrt((apart**2).sum()), rel=1e-6)
    assert length.python(count, at(own), at(own), at(pull), stride) == 0


@pytest.mark.parametrize("distance, count, stride", list(product(CODES, COUNTS, [0, 1])))
def test_a_pull_is_the_gradient_of_its_penalty(memory, distance, count, stride):
    (theta, anchor), weight, start = placed(count), weights(count, stride), draw(count, 2)
    apart = theta.astype(float) - anchor
    size = np.sqrt(((weight * apart) ** 2).sum())
    inverse = 1 / size if size else 0.0
    wanted = (
        start
        + {
            "l2": weight * apart,
            "l1": weight * np.sign(apart),
            "norm": weight.astype(float) ** 2 * apart * inverse,
        }[distance]
    )
    own, held, pull, total = *map(memory.given, (theta, anchor, weight)), memory.wanted(start)
    add_pull.python(CODES[distance], count, at(own), at(held), at(pull), stride, inverse, at(total))
    np.testing.assert_allclose(total, wanted, rtol=1e-5, atol=1e-6)
    assert (total[::3] == start[::3]).all()


@pytest.mark.parametrize("distance, count, stride, pace_stride", list(product(CODES, COUNTS, [0, 1], [0, 1])))
@pytest.mark.parametrize("scale", [0.1, 10])
def test_a_decoupled_step_stops_at_the_anchor(memory, distance, count, stride, pace_stride, scale):
    theta, anchor = placed(count)
    before = theta + draw(count, 4)
    weight, pace = weights(count, stride), weights(count, pace_stride, 5) * np.float32(scale)
    apart, step = theta.astype(float) - anchor, weight.astype(float) * pace
    size = np.sqrt((apart**2).sum())
    wanted = {
        "l2": theta - (before.astype(float) - anchor) * step,
        "l1": anchor + np.sign(apart) * np.maximum(np.abs(apart) - step, 0),
        "norm": anchor + apart * np.maximum(1 - step / size, 0) if size else anchor,
    }[distance]
    own, places = memory.wanted(theta), [memory.given(each) for each in (before, anchor, weight, pace)]
    addresses = [at(each) for each in places]
    shrink.python(
        CODES[distance], count, at(own), addresses[0], addresses[1], addresses[2], stride, addresses[3],
        pace_stride, size,
    )  # fmt: skip
    np.testing.assert_allclose(own, wanted, rtol=2e-5, atol=2e-6)
    if distance != "l2":
        assert (own[::3] == anchor[::3]).all()
