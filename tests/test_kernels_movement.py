"""Transposes, gathers and copies are exact, and stay within their memory."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from guarded import GuardedMemory, at

from clbench.kernels.elementwise import add_path, add_squares, copy, hold, rescale_step, set_squares
from clbench.kernels.movement import gather, transpose
from clbench.kernels.vectors import WIDTH

SIZES = (1, 3, 17, 31, 33, 64, 100)
RANDOM = np.random.default_rng(0)


def up(count):
    return -(-count // WIDTH) * WIDTH


def draw(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def test_transpose():
    for rows, columns, gap in product(SIZES, SIZES, (0, 5)):
        memory = GuardedMemory()
        whole = draw(up(rows), up(columns))
        source = memory.given(whole, up(columns) + gap)
        out = memory.wanted(np.zeros((up(columns), up(rows)), np.float32), up(rows) + gap)
        transpose.python(rows, columns, at(source), up(columns) + gap, at(out), up(rows) + gap)
        memory.check()
        assert (out[:columns, :rows] == whole.T[:columns, :rows]).all()


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("features", SIZES)
@pytest.mark.parametrize("count", [1, 17, 32])
def test_gather_takes_a_sample_as_its_task_sees_it(memory, count, features, ordered):
    pool, tasks, row = 23, 3, features + 4
    inputs = draw(pool, features)
    orders = np.stack([RANDOM.permutation(features) for _ in range(tasks)]) if ordered else None
    addresses = RANDOM.integers(0, tasks * pool, count)
    out = memory.wanted(np.zeros((count, features), np.float32), row)
    held = [memory.given(each) if each is not None else None for each in (addresses, inputs, orders)]
    gather.python(count, features, at(held[0]), pool, at(held[1]), at(held[2]), at(out), row)
    for place, address in enumerate(addresses):
        task, sample = divmod(address, pool)
        assert (out[place] == (inputs[sample, orders[task]] if ordered else inputs[sample])).all()


@pytest.mark.parametrize("count", SIZES)
def test_rates_hold_and_scale_steps(memory, count):
    rate = RANDOM.choice(np.float32([0, 0.5, 1]), count)
    gradient, theta, before = draw(count), draw(count), draw(count)
    theta[rate == 0] = np.nan
    held, slope, own = memory.given(rate), memory.wanted(gradient), memory.wanted(theta)
    old, copied = memory.given(before), memory.wanted(np.zeros(count, np.float32))
    hold.python(count, at(held), at(slope))
    assert (slope == np.where(rate == 0, 0, gradient)).all()
    rescale_step.python(count, at(held), at(own), at(old))
    wanted = np.where(rate == 0, before, before + rate * (theta.astype(float) - before))
    np.testing.assert_allclose(own, wanted, rtol=1e-6, atol=1e-6)
    assert (own[rate == 0] == before[rate == 0]).all()
    copy.python(count, at(own), at(copied))
    assert copied.tobytes() == own.tobytes()


@pytest.mark.parametrize("count", SIZES)
def test_sums_over_steps(memory, count):
    gradient, theta, before, start = draw(count), draw(count), draw(count), draw(count)
    slope, own, old = memory.given(gradient), memory.given(theta), memory.given(before)
    path, squares, first = memory.wanted(start), memory.wanted(start), memory.wanted(start)
    add_path.python(count, at(slope), at(own), at(old), at(path))
    add_squares.python(count, at(slope), at(squares))
    set_squares.python(count, at(slope), at(first))
    exact = gradient.astype(float)
    np.testing.assert_allclose(path, start - exact * (theta.astype(float) - before), rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(squares, start + exact**2, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(first, exact**2, rtol=1e-6)
