"""The chain of dense layers, forward and backward, against torch autograd in float64."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
import torch
from guarded import GuardedMemory, at

from clbench.kernels.activations import CODES
from clbench.kernels.dense import (
    AFTER,
    ERRORS,
    ROOM,
    SAMPLES,
    TURNED,
    backward,
    chain_table,
    forward,
)
from clbench.kernels.vectors import WIDTH

ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
}


def layers_of(sizes, biases=True, trained=None):
    """Return the layers' rows and the length of θ, in which gaps lie between the tensors."""
    rows, place = [], 3
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        learns = int(trained is None or index in trained)
        weight, place = place, place + inputs * outputs + 5
        bias, place = (place, place + outputs + 1) if biases else (-1, place)
        rows.append((inputs, outputs, weight, bias, learns, int(learns and biases)))
    return rows, place


def team_of(size, work):
    """Let `size` threads do `work(member, size, meeting)`."""
    meeting = np.zeros(1, np.int64)
    threads = [Thread(target=work, args=(member, size, at(meeting))) for member in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def passes(layers, padded, activation, samples, errors, room_for, team=1):
    """Return the outputs and the gradient `[padded]` of a lane by the kernels, with NaN all about."""
    memory, batch, outputs = GuardedMemory(), len(samples), layers[-1][1]
    chain = memory.given(chain_table(layers, CODES[activation], room_for))
    room = memory.wanted(np.full(chain[0, ROOM], np.nan, np.float32))
    theta = memory.given(theta_of(padded))
    gradient = memory.wanted(np.full(padded, 7, np.float32))
    width, apart, last = -(-layers[0][0] // WIDTH) * WIDTH, chain[0, SAMPLES], chain[-1]
    begin = chain[1, TURNED]
    room[begin : begin + batch * width].reshape(batch, width)[:, : layers[0][0]] = samples
    common = at(chain), at(room), at(theta)
    team_of(team, lambda *members: forward.python(*common, batch, *members))
    found = room[last[AFTER] : last[AFTER] + outputs * apart].reshape(outputs, apart)[:, :batch].T.copy()
    sent = room[last[ERRORS] : last[ERRORS] + outputs * apart].reshape(outputs, apart)
    sent[:] = 0
    sent[:, :batch] = errors.T
    team_of(team, lambda *members: backward.python(*common, at(gradient), batch, *members))
    memory.check()
    return found, gradient


def theta_of(padded):
    return (np.random.default_rng(padded).standard_normal(padded) * 0.3).astype(np.float32)


def exact(layers, padded, activation, samples, errors):
    """Return the same by autograd in float64; what isn't trained keeps its 7."""
    theta = torch.tensor(theta_of(padded), dtype=torch.float64, requires_grad=True)
    found, learned = torch.tensor(samples, dtype=torch.float64), np.zeros(padded, bool)
    for index, (inputs, outputs, weight, bias, learns, learns_bias) in enumerate(layers):
        found = found @ theta[weight : weight + inputs * outputs].view(outputs, inputs).T
        learned[weight : weight + inputs * outputs] = learns
        if bias >= 0:
            found = found + theta[bias : bias + outputs]
            learned[bias : bias + outputs] = learns_bias
        if index < len(layers) - 1:
            found = ACTIVATIONS[activation](found)
    (slope,) = torch.autograd.grad(found, theta, torch.tensor(errors, dtype=torch.float64))
    return found.detach().numpy(), np.where(learned, slope.numpy(), 7)


def drawn(sizes, batch):
    random = np.random.default_rng((batch, *sizes))
    return (random.standard_normal((batch, size)).astype(np.float32) for size in (sizes[0], sizes[-1]))


def close(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5 * max(1, np.abs(other).max()))


@pytest.mark.parametrize("batch, room_for", [(32, 32), (1, 1), (1, 32), (17, 33), (33, 100)])
@pytest.mark.parametrize("sizes", [(5, 3), (1, 17, 1), (31, 33, 10), (64, 64, 64, 10), (3, 7, 5, 9, 2)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_chain_is_that_of_autograd(activation, sizes, batch, room_for):
    layers, padded = layers_of(sizes)
    samples, errors = drawn(sizes, batch)
    wanted = exact(layers, padded, activation, samples, errors)
    close(passes(layers, padded, activation, samples, errors, room_for), wanted)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "biases, trained", [(False, None), (True, {1}), (True, {2}), (False, {0, 2}), (True, {})]
)
def test_without_biases_and_with_layers_that_are_not_trained(activation, biases, trained):
    layers, padded = layers_of((6, 9, 12, 4), biases, trained)
    samples, errors = drawn((6, 9, 12, 4), 11)
    wanted = exact(layers, padded, activation, samples, errors)
    close(passes(layers, padded, activation, samples, errors, 16), wanted)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(1, 17, 1), (31, 33, 100, 10)])
def test_a_team_of_any_size_gives_the_same_bits(activation, sizes):
    layers, padded = layers_of(sizes)
    samples, errors = drawn(sizes, 21)
    alone = passes(layers, padded, activation, samples, errors, 32)
    for team in (2, 3):
        for one, other in zip(
            passes(layers, padded, activation, samples, errors, 32, team), alone, strict=True
        ):
            assert one.tobytes() == other.tobytes()
