"""Losses and their errors against torch in float64: masks, weights, batches smaller than the room."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from guarded import at

from clbench.kernels.losses import cross_entropy_errors, squared_errors
from clbench.kernels.vectors import WIDTH

RANDOM = np.random.default_rng(0)
BATCHES = [1, 3, 17, 32, 33]
OUTPUTS = [1, 3, 10, 33]


def draw(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def laid_out(memory, samples):
    """Return outputs `[output, room]`, with something in the places beyond the batch, and their errors."""
    batch, count = samples.shape
    room = -(-batch // WIDTH) * WIDTH + WIDTH
    outputs = draw(count, room)
    outputs[:, :batch] = samples.T
    return memory.given(outputs), memory.wanted(np.full((count, room), 7, np.float32)), room


def cross_entropy(memory, samples, labels, weights, masks=None, tasks=None):
    outputs, errors, room = laid_out(memory, samples)
    batch, count = samples.shape
    held = [memory.given(each) if each is not None else None for each in (labels, tasks, masks, weights)]
    scratch = memory.wanted(np.zeros((2, room), np.float32))
    loss = cross_entropy_errors.python(
        batch, count, room, at(outputs), *map(at, held), at(errors), at(scratch)
    )
    memory.check()
    assert (errors[:, batch:] == 0).all()
    return loss, errors[:, :batch].T


def exact_cross_entropy(samples, labels, weights, masks=0.0):
    logits = torch.tensor(samples.astype(float), requires_grad=True)
    losses = torch.nn.functional.cross_entropy(
        logits + torch.tensor(masks), torch.tensor(labels), reduction="none"
    )
    loss = (losses * torch.tensor(weights.astype(float))).sum()
    (slope,) = torch.autograd.grad(loss, logits)
    return loss.item(), slope.numpy()


@pytest.mark.parametrize("count", OUTPUTS)
@pytest.mark.parametrize("batch", BATCHES)
def test_squared_errors(memory, batch, count):
    samples, wanted, weights = draw(batch, count), draw(batch, count), np.abs(draw(batch))
    outputs, errors, room = laid_out(memory, samples)
    target, weight = memory.given(wanted), memory.given(weights)
    loss = squared_errors.python(batch, count, room, at(outputs), at(target), at(weight), at(errors))
    apart = samples.astype(float) - wanted
    assert loss == pytest.approx((weights * (apart**2).mean(1)).sum(), rel=1e-6)
    np.testing.assert_allclose(
        errors[:, :batch].T, 2 * weights[:, None] * apart / count, rtol=1e-5, atol=1e-6
    )
    assert (errors[:, batch:] == 0).all()


@pytest.mark.parametrize("scale", [0.1, 1, 30])
@pytest.mark.parametrize("count", OUTPUTS)
@pytest.mark.parametrize("batch", BATCHES)
def test_cross_entropy(memory, batch, count, scale):
    samples, weights = draw(batch, count) * np.float32(scale), np.abs(draw(batch))
    labels = RANDOM.integers(0, count, batch)
    loss, errors = cross_entropy(memory, samples, labels, weights, tasks=np.zeros(batch, np.int64))
    wanted, slope = exact_cross_entropy(samples, labels, weights)
    assert loss == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(errors, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", BATCHES)
def test_what_a_mask_leaves_out_has_no_error_at_all(memory, batch):
    count, tasks = 10, RANDOM.integers(0, 5, batch)
    masks = np.full((5, count), -np.inf, np.float32)
    for task in range(5):
        masks[task, 2 * task : 2 * task + 2] = 0
    labels = 2 * tasks + RANDOM.integers(0, 2, batch)
    samples, weights = draw(batch, count) * 5, np.abs(draw(batch))
    loss, errors = cross_entropy(memory, samples, labels, weights, masks, tasks)
    wanted, slope = exact_cross_entropy(samples, labels, weights, masks[tasks].astype(float))
    assert loss == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(errors, slope, rtol=1e-5, atol=1e-6)
    assert (errors[np.isinf(masks[tasks])] == 0).all()


def test_a_sample_of_weight_0_counts_for_nothing_and_large_outputs_are_safe(memory):
    samples = np.float32([[300, -300, 0], [-1e30, 1e30, 0], [1, 2, 3]])
    loss, errors = cross_entropy(memory, samples, np.array([0, 1, 2]), np.float32([1, 1, 0]))
    assert loss == pytest.approx(0, abs=1e-6) and (errors == 0).all()


def test_a_sample_that_is_no_number_spoils_its_own_errors_only(memory):
    samples = draw(9, 10)
    samples[4, 2] = np.nan
    loss, errors = cross_entropy(memory, samples, np.arange(9), np.full(9, 1, np.float32))
    assert np.isnan(loss) and np.isnan(errors[4]).all()
    assert np.isfinite(np.delete(errors, 4, 0)).all()


def test_a_sample_has_the_same_errors_in_any_batch_and_place(memory):
    samples, labels, weights = draw(33, 10), RANDOM.integers(0, 10, 33), np.abs(draw(33))
    _, whole = cross_entropy(memory, samples, labels, weights)
    for place in range(33):
        one = slice(place, place + 1)
        _, alone = cross_entropy(memory, samples[one], labels[one], weights[one])
        assert alone.tobytes() == np.ascontiguousarray(whole[one]).tobytes()
