"""Activations and what they are made of against float64, over all of float32."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch
from guarded import at

from clbench.kernels import functions
from clbench.kernels.activations import CODES, activate, send_through
from clbench.kernels.compiler import OPTIONS

EDGES = np.float32([0, -0.0, 1e-45, -1e-38, 0.625, -0.625, 87.3, 88.0, -87.3, -88, 89, 1e30, -1e30])
FLOATS = np.concatenate(
    [EDGES, *(sign * np.geomspace(1e-8, 87.2, 20_000, dtype=np.float32) for sign in (1, -1))]
).astype(np.float32)
TORCH = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
}


def units(found, wanted):
    """Return how many units in the last place lie between; below the normal floats, their smallest one."""
    unit = np.spacing(np.maximum(np.abs(wanted), np.finfo(np.float32).tiny).astype(np.float32))
    return np.abs(found.astype(float) - wanted) / unit


def activated(memory, name, values):
    before, after = memory.given(values), memory.wanted(np.zeros_like(values))
    activate.python(CODES[name], len(values), at(before), at(after))
    return after


@numba.njit(**OPTIONS)
def exponentials(values):
    return np.array([functions.exp(value) for value in values])


def test_exp():
    within = FLOATS[np.abs(FLOATS) <= 87.3]
    assert units(exponentials(within), np.exp(within.astype(float))).max() <= 2
    assert (exponentials(np.float32([-87.31, -88])) == 0).all()
    assert (
        units(exponentials(np.float32([88.0, 88.69])), np.exp(np.float32([88.0, 88.69]).astype(float))).max()
        <= 2
    )
    assert (exponentials(np.float32([88.73, 89])) == np.inf).all()
    assert (exponentials(np.float32([-1e30, -np.inf])) == 0).all()
    assert (exponentials(np.float32([1e30, np.inf])) == np.inf).all()
    assert np.isnan(exponentials(np.float32([np.nan]))[0])


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_tanh_and_sigmoid_are_off_by_three_units_at_most(memory, name):
    found = activated(memory, name, FLOATS)
    wanted = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}[name](
        FLOATS.astype(float).clip(-700, 700)
    )
    normal = np.abs(wanted) >= np.finfo(np.float32).tiny
    assert units(found, wanted)[normal].max() <= 3
    assert np.abs(found - wanted)[~normal].max(initial=0) < np.finfo(np.float32).tiny


@pytest.mark.parametrize("name", TORCH)
def test_activations_and_their_chains_are_those_of_torch_in_float64(memory, name):
    values = FLOATS[np.abs(FLOATS) < 100]
    errors = np.random.default_rng(0).standard_normal(len(values)).astype(np.float32)
    exact = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    wanted = TORCH[name](exact)
    (slope,) = torch.autograd.grad(wanted, exact, torch.tensor(errors, dtype=torch.float64))
    before, after, error = memory.given(values), memory.wanted(np.zeros_like(values)), memory.wanted(errors)
    activate.python(CODES[name], len(values), at(before), at(after))
    np.testing.assert_allclose(after, wanted.detach().numpy(), rtol=1e-6, atol=3e-7)
    send_through.python(CODES[name], len(values), at(error), at(before), at(after))
    if name == "relu":
        assert (error == slope.numpy()).all()
    np.testing.assert_allclose(error, slope.numpy(), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("count", [1, 3, 17, 33])
def test_any_count_gives_the_same_bits_in_place_or_not(memory, name, count):
    values = np.random.default_rng(count).standard_normal(64).astype(np.float32)
    whole, part = activated(memory, name, values), activated(memory, name, values[:count])
    same = memory.wanted(values[:count])
    activate.python(CODES[name], count, at(same), at(same))
    assert part.tobytes() == whole[:count].tobytes() == same.tobytes()


@pytest.mark.parametrize("name", TORCH)
def test_what_is_no_number_stays_none_and_limits_are_reached(memory, name):
    found = activated(memory, name, np.float32([np.nan, np.inf, -np.inf]))
    low = {"identity": -np.inf, "relu": 0, "tanh": -1, "sigmoid": 0, "gelu": np.nan}[name]
    high = {"tanh": 1, "sigmoid": 1}.get(name, np.inf)
    np.testing.assert_array_equal(found, np.float32([np.nan, high, low]))
    errors = memory.wanted(np.float32([1, 1, np.nan]))
    before, after = memory.given(np.float32([np.nan, 1, 1])), memory.given(np.float32([np.nan, 0.5, 0.5]))
    send_through.python(CODES[name], 3, at(errors), at(before), at(after))
    expected = [name not in ("identity", "relu"), False, True]
    assert (np.isnan(errors) == expected).all()
