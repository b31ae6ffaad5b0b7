"""The product against float64, at awkward shapes, between guards."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from guarded import GuardedMemory, at

from clbench.kernels.product import BIAS, INNER, OUT, ZERO, multiply

SIZES = (1, 3, 17, 31, 33, 64, 100)
EPS = np.finfo(np.float32).eps


def draw(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def run(memory, left, right, begin=ZERO, bias=None, out=None, relu=False, transposed=False, gaps=(0, 0, 0)):
    """Return `left` · `right` by the kernel, every factor with gaps between its rows."""
    (rows, inner), columns = left.shape, right.shape[1]
    stored = left.T if transposed else left
    held_left = memory.given(stored, stored.shape[1] + gaps[0])
    held_right = memory.given(right, columns + gaps[1])
    held_bias = None if bias is None else memory.given(bias)
    held_out = memory.wanted(
        np.full((rows, columns), np.nan, np.float32) if out is None else out, columns + gaps[2]
    )
    strides = (1, stored.shape[1] + gaps[0]) if transposed else (stored.shape[1] + gaps[0], 1)
    multiply.python(
        rows, columns, inner, at(held_left), *strides, at(held_right), columns + gaps[1], at(held_out),
        columns + gaps[2], begin, at(held_bias), int(relu),
    )  # fmt: skip
    memory.check()
    return held_out


def exact(left, right, begin, bias, out, relu):
    """Return the product in float64, and how far float32 may be from it."""
    start = np.float64(0) if begin == ZERO else (bias[:, None] if begin == BIAS else out).astype(float)
    found = left.astype(float) @ right + start
    size = np.abs(left).astype(float) @ np.abs(right) + np.abs(start)
    return (np.maximum(found, 0) if relu else found), (left.shape[1] + 2) * EPS * size


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("begin", [ZERO, BIAS, OUT])
@pytest.mark.parametrize("transposed", [False, True])
def test_any_shape_is_the_product_in_float64(transposed, begin, relu):
    for rows, columns, inner in product(SIZES, SIZES, SIZES):
        left, right, bias, out = (
            draw(rows, inner),
            draw(inner, columns, seed=1),
            draw(rows),
            draw(rows, columns),
        )
        gaps = ((rows + inner) % 3, (columns + inner) % 4, (rows + columns) % 5)
        found = run(GuardedMemory(), left, right, begin, bias, out, relu, transposed, gaps)
        wanted, bound = exact(left, right, begin, bias, out, relu)
        assert (np.abs(found - wanted) <= bound).all(), (rows, columns, inner)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("begin", [ZERO, BIAS, OUT])
@pytest.mark.parametrize("inner", [INNER, INNER + 1, 2 * INNER + 132])
def test_an_inner_dimension_of_several_blocks_begins_and_ends_once(inner, begin, relu):
    left, right, bias, out = draw(9, inner), draw(inner, 37, seed=1), draw(9), draw(9, 37)
    for transposed in (False, True):
        found = run(GuardedMemory(), left, right, begin, bias, out, relu, transposed)
        wanted, bound = exact(left, right, begin, bias, out, relu)
        assert (np.abs(found - wanted) <= bound).all()


@pytest.mark.parametrize("shape", [(1000, 128, 1024), (1024, 100, 128), (64, 512, 1024)])
def test_strides_that_are_powers_of_two_change_nothing(memory, shape):
    rows, columns, inner = shape
    left, right = draw(rows, inner), draw(inner, columns, seed=1)
    for transposed in (False, True):
        wanted, bound = exact(left, right, ZERO, None, None, False)
        assert (np.abs(run(memory, left, right, transposed=transposed) - wanted) <= bound).all()
        gapped = run(memory, left, right, transposed=transposed, gaps=(5, 3, 1))
        assert (
            run(memory, left, right, transposed=transposed).tobytes()
            == np.ascontiguousarray(gapped).tobytes()
        )


def test_an_empty_inner_dimension_leaves_what_it_begins_with(memory):
    left, right, bias = draw(5, 0), draw(0, 11), draw(5)
    assert (run(memory, left, right) == 0).all()
    assert (run(memory, left, right, BIAS, bias) == bias[:, None]).all()
    assert (run(memory, left, right, BIAS, bias, relu=True) == np.maximum(bias, 0)[:, None]).all()


@pytest.mark.parametrize("inner", [1, 7, INNER + 5])
@pytest.mark.parametrize("transposed", [False, True])
def test_an_entry_has_the_same_bits_whatever_the_tile(inner, transposed):
    left, right, bias = draw(31, inner), draw(inner, 43, seed=1), draw(31)

    def part(high, wide):
        """Return a part of the product, made by itself."""
        return run(GuardedMemory(), left[high], right[:, wide], BIAS, bias[high], None, True, transposed)

    whole = part(slice(None), slice(None))
    for row, column in product(range(31), range(43)):
        high, wide = slice(row, row + 1), slice(column, column + 1)
        assert part(high, wide).tobytes() == whole[row, column].tobytes()
    for high, wide in (
        (slice(6, 19), slice(5, 43)),
        (slice(1, 12), slice(16, 32)),
        (slice(3, 5), slice(0, 31)),
    ):
        assert (part(high, wide) == whole[high, wide]).all()


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_where_it_belongs(memory, value, relu):
    left, right = np.abs(draw(19, 33)) + 1, np.abs(draw(33, 43, seed=1)) + 1
    left[7, 4] = value
    found = run(memory, left, right, relu=relu)
    wanted = 0.0 if relu and value < 0 else value
    np.testing.assert_array_equal(found[7], np.full(43, wanted, np.float32))
    assert np.isfinite(np.delete(found, 7, 0)).all()
    right[5, 40] = value
    found = run(memory, left, right, relu=relu)
    assert not np.isfinite(found[:7, 40]).any() or (relu and value < 0)
    assert np.isfinite(np.delete(np.delete(found, 7, 0), 40, 1)).all()
