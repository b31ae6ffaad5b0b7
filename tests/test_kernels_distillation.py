"""Distillation in compiled steps: against the formula in float64, a slow loop, and the eager steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from guarded import at
from test_engine_invariants import assert_same_bits, make, results
from torch.nn import functional

from clbench.config import Training
from clbench.engine import compiled, stage
from clbench.kernels.dense import AFTER, ERRORS, ROOM, SAMPLES, chain_table
from clbench.kernels.distillation import add_errors, add_sample_errors, distil
from clbench.kernels.tables import LANE, PROGRAM, Lane, Program
from clbench.kernels.vectors import WIDTH
from clbench.models import MLP
from clbench.strategies import DarkReplay, LwF, Naive

RANDOM = np.random.default_rng(0)
COUNT = 7
MASKS = {  # the outputs that each head of the teacher has, and of the student
    "one head": ([range(7)], [range(7)]),
    "heads of their own": ([range(2), range(2, 5)], [range(2), range(2, 5)]),
    "a wider student": ([range(4)], [range(6)]),
    "wider in one head alone": ([range(2), range(3, 5)], [range(3), range(3, 5)]),
}


def draw(*shape, scale=1.0):
    return (RANDOM.standard_normal(shape) * scale).astype(np.float32)


def masks(heads):
    found = np.full((len(heads), COUNT), -np.inf, np.float32)
    for mask, head in zip(found, heads, strict=True):
        mask[list(head)] = 0
    return found


def exact(outputs, taught, weight, temperature, teachers, students, averaged):
    """Return the gradient of the formula by autograd, samples first; torch has the divergence."""
    z, other = torch.tensor(outputs.astype(float), requires_grad=True), torch.tensor(taught.astype(float))
    if temperature is None:
        loss = weight * functional.mse_loss(z, other)
    else:
        terms = []
        for teacher, student in zip(teachers, students, strict=True):
            target = functional.softmax(other[:, list(teacher)] / temperature, 1)
            target = functional.pad(target, (0, len(student) - len(teacher)))
            found = functional.log_softmax(z[:, list(student)] / temperature, 1)
            term = functional.kl_div(found, target, reduction="batchmean")
            terms.append(term / len(student) if averaged else term)
        loss = weight * temperature**2 * torch.stack(terms).mean()
    return torch.autograd.grad(loss, z)[0].numpy()


def by_kernel(memory, kernel, outputs, taught, numbers, heads, averaged, before):
    """Return what the kernel makes of errors, samples first."""
    samples = len(outputs)
    room = -(-samples // WIDTH) * WIDTH
    teachers, students = (memory.given(masks(each)) for each in heads) if heads else (None, None)
    number = memory.given(np.array(numbers, np.float64))
    scratch = memory.wanted(np.zeros((5 * COUNT + 2, room), np.float32))
    sizes, rest = (samples, COUNT), (int(averaged), at(number))
    held = (len(heads[0]) if heads else 0, at(teachers), at(students))
    if kernel is add_sample_errors:
        errors = memory.wanted(before)
        places = (at(memory.given(each)) for each in (outputs, taught))
        kernel.python(*sizes, *places, *held, *rest, at(errors), at(scratch))
        return errors
    errors = memory.wanted(before.T, row=room)
    places = (at(memory.given(each.T, row=room)) for each in (outputs, taught))
    kernel.python(*sizes, room, *places, *held, *rest, at(errors), at(scratch))
    return errors.T


@pytest.mark.parametrize("kernel", [add_errors, add_sample_errors], ids=["turned", "by sample"])
@pytest.mark.parametrize("samples", [1, 17, 32])
@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize("name", MASKS)
def test_softened_outputs_are_held(memory, name, temperature, averaged, samples, kernel):
    outputs, taught, before = (draw(samples, COUNT, scale=3) for _ in range(3))
    found = by_kernel(memory, kernel, outputs, taught, (0.7, temperature, 1), MASKS[name], averaged, before)
    wanted = exact(outputs, taught, 0.7, temperature, *MASKS[name], averaged)
    np.testing.assert_allclose(found, before + wanted, rtol=1e-5, atol=1e-6)
    assert np.abs(wanted).max() > 1e-3
    left_out = (masks(MASKS[name][1]) != 0).all(0)
    assert (found[:, left_out] == before[:, left_out]).all()


@pytest.mark.parametrize("kernel", [add_errors, add_sample_errors], ids=["turned", "by sample"])
@pytest.mark.parametrize("samples", [1, 17, 32])
def test_squared_difference(memory, samples, kernel):
    outputs, taught, before = (draw(samples, COUNT) for _ in range(3))
    found = by_kernel(memory, kernel, outputs, taught, (0.7, 1, 1), None, False, before)
    wanted = exact(outputs, taught, 0.7, None, None, None, False)
    np.testing.assert_allclose(found, before + wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("heads", [None, MASKS["one head"]], ids=["squared", "softened"])
def test_a_weight_of_0_leaves_the_errors_alone_whatever_is_taught(memory, heads):
    outputs, before = draw(5, COUNT), draw(5, COUNT)
    taught = np.full((5, COUNT), np.inf, np.float32)
    found = by_kernel(memory, add_errors, outputs, taught, (0, 2, 1), heads, False, before)
    assert found.tobytes() == before.tobytes()


def test_large_outputs_are_safe(memory):
    outputs, taught = np.eye(COUNT, dtype=np.float32) * 1e30, np.eye(COUNT, dtype=np.float32) * -1e30
    heads, before = MASKS["one head"], np.zeros((COUNT, COUNT), np.float32)
    found = by_kernel(memory, add_errors, outputs, taught, (1, 2, 1), heads, False, before)
    wanted = 2 / COUNT * (np.eye(COUNT) - (1 - np.eye(COUNT)) / (COUNT - 1))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_stored_outputs_are_recalled_then_the_own_ones_stored(memory):
    """Two steps of 3 and 2 own samples, 4 and 3 from memory, 2 of which are taught; places come twice."""
    stored = draw(6, COUNT)
    kept, weight, share = memory.wanted(stored), 0.7, 0.25
    places, slots = np.array([2, 2, 0, 4]), np.array([0, 5, 5, 2, 5])
    table = chain_table([(1, COUNT, 0, -1, 0, 0)], 0, 7)
    room = np.zeros(table[0, ROOM], np.float32)
    width, last = table[0, SAMPLES], table[1]
    outputs, errors = (
        room[last[column] :][: COUNT * width].reshape(COUNT, width) for column in (AFTER, ERRORS)
    )
    program, lane = np.zeros(PROGRAM, np.int64), np.zeros(LANE, np.int64)
    numbers, parts = np.array([weight, 1, share]), np.array([[0, 0], [3, 2], [5, 4]])
    scratch = memory.wanted(np.zeros((COUNT, width), np.float32))
    held = (memory.given(places), memory.given(slots))
    program[Program.CHAIN], program[Program.ROOM] = at(table), at(room)
    program[Program.PARTS], program[Program.TAUGHT] = at(parts), at(scratch)
    lane[Lane.DISTILLED], lane[Lane.STORED] = at(numbers), at(kept)
    lane[Lane.PLACES], lane[Lane.SLOTS] = map(at, held)
    for step, batch in enumerate((7, 5)):
        own, taught = (slice(*parts[step : step + 2, column]) for column in (0, 1))
        first = own.stop - own.start
        z, before = draw(batch, COUNT), draw(batch, COUNT)
        outputs[:, :batch], errors[:, :batch] = z.T, before.T
        wanted = share * before.astype(float)
        wanted[first : first + 2] += exact(
            z[first : first + 2], stored[places[taught]], weight, None, None, None, False
        )
        distil.python(at(program), at(lane), step, batch)
        np.testing.assert_allclose(errors[:, :batch].T, wanted, rtol=1e-5, atol=1e-6)
        for sample, slot in enumerate(slots[own]):
            stored[slot] = z[sample]
        assert kept[:5].tobytes() == stored[:5].tobytes()


STRATEGIES = {
    "a sum": ("task", LwF(lam=2.0)),
    "by tasks": ("task", LwF(weighting="tasks")),
    "new classes, averaged": ("class", LwF(lam=3.0, new_classes=True, classes="mean")),
    "squares": ("regression", LwF(lam=0.5)),
    "DER": ("class", DarkReplay(buffer_size=30)),
    "DER++": ("class", DarkReplay(buffer_size=30, beta=0.5)),
    "DER in regression": ("regression", DarkReplay(buffer_size=30, replay_batch_size=5)),
}


def eager(monkeypatch, runs):
    """Return what the eager steps make of runs."""
    with monkeypatch.context() as changed:
        changed.setattr(stage, "takes", lambda context: False)
        return results(runs)


@pytest.mark.parametrize("name", STRATEGIES)
def test_400_steps_are_the_eager_ones(monkeypatch, name):
    stream, strategy = STRATEGIES[name]
    training = Training(steps=400 if stream == "regression" else 100, batch_size=16)
    runs = [make(stream, strategy, training=training)]
    plain = results([make(stream, Naive(), training=training)])
    made, advance = [], compiled.CompiledStepper.advance
    monkeypatch.setattr(
        compiled.CompiledStepper, "advance", lambda *given: made.append(given[0]) or advance(*given)
    )
    found = results(runs)[0]
    stages = 2 if stream == "regression" else 5
    assert {stepper.context.stage for stepper in made} == set(range(stages))
    wanted = eager(monkeypatch, runs)[0]
    np.testing.assert_allclose(found.loss, wanted.loss, rtol=1e-5, atol=1e-6)
    for column, values in wanted.training.items():
        np.testing.assert_allclose(found.training[column], values, rtol=1e-4, atol=1e-5, err_msg=column)
    assert not np.allclose(found.loss, plain[0].loss, rtol=1e-2, equal_nan=True)


@pytest.mark.parametrize("stream", ["regression", "task", "class"])
def test_a_weight_of_0_is_naive_bit_for_bit(stream):
    parts = [Naive(), LwF(lam=0.0), LwF(lam=0.0, weighting="tasks"), DarkReplay(alpha=0.0, buffer_size=30)]
    plain, *others = results([make(stream, part) for part in parts])
    for other in others:
        np.testing.assert_array_equal(other.loss, plain.loss)


@pytest.mark.parametrize("name", ["a sum", "new classes, averaged", "squares", "DER++"])
def test_alone_in_company_in_any_order_by_any_team(name):
    stream, strategy = STRATEGIES[name]
    field = "lam" if isinstance(strategy, LwF) else "alpha"
    changes = {"model": MLP(hidden=(150, 150)), "training": Training(steps=3, batch_size=64)}
    other = replace(strategy, **{field: 0.1})
    runs = [make(stream, part, seed, **changes) for seed in (0, 3) for part in (strategy, other)]
    company = results(runs, threads=1)
    for left, right in zip(company, reversed(results(runs[::-1], threads=2)), strict=True):
        assert_same_bits(left, right)
    for threads in (1, 2):
        assert_same_bits(company[2], results([runs[2]], threads=threads)[0])
