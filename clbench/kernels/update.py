"""What follows the gradient in a step: pulls, the optimiser, rates, decoupled pulls and sums.

All of it is done for a few thousand parameters after the other, which stay in the nearest cache meanwhile.
"""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import inline, kernel
from clbench.kernels.elementwise import add_path, add_squares, copy, hold, rescale_step, set_squares
from clbench.kernels.memory import floats, integers
from clbench.kernels.optimizers import ADAGRAD, ADAMW, SGD, step_adagrad, step_adam, step_sgd
from clbench.kernels.pulls import NORM, add_pull, length, shrink
from clbench.kernels.tables import LANE, PROGRAM, Lane, Program
from clbench.kernels.team import meet, share

BLOCK = 2048
"""Parameters that are gone through at a time."""

_ONE, _ZERO = np.float32(1), np.float32(0)


@kernel
def update(program: int, lane: int, step: int, begins: int, member: int, size: int, meeting: int) -> None:
    """Take the optimiser's step of a lane, and all that comes with it.

    Args:
        program, lane: addresses of their rows, see `tables`.
        step: steps taken in this call, this one not included.
        begins: whether it is the run's first step.
        member, size, meeting: of the team, see `team`.
    """
    job = integers(program, PROGRAM)
    block = BLOCK if _is_elementwise(job) else job[Program.PADDED]
    start, stop = share(job[Program.PADDED], member, size, block)
    scales = job[Program.SCALES] + 4 * member * job[Program.TERM_COUNT] * job[Program.TENSOR_COUNT]
    _measure(job, lane, scales, 0)
    meet(meeting, size)  # all have measured before any moves
    for low in range(start, stop, block):
        high = min(low + block, stop)
        _push(job, lane, scales, low, high)
        _step(job, lane, step, low, high)
        if job[Program.DECOUPLED]:
            _measure(job, lane, scales, 1)
            _shrink(job, lane, scales, low, high)
        _note(job, lane, begins, low, high)


@inline
def _is_elementwise(job):
    """Tell whether no entry waits for others: the decoupled step of a norm needs a tensor's whole length."""
    for index in range(job[Program.TERM_COUNT]):
        term = integers(job[Program.TERMS] + 24 * index, 3)
        if term[0] == NORM and term[1]:
            return False
    return True


@inline
def _measure(job, lane, scales, decoupled):
    """Note of every norm and tensor 1 / √Σ (w (θ − θ*))², or where it is decoupled ‖θ − θ*‖."""
    row = integers(lane, LANE)
    for index in range(job[Program.TERM_COUNT]):
        term, pull = integers(job[Program.TERMS] + 24 * index, 3), integers(row[Lane.PULLS] + 16 * index, 2)
        if term[0] != NORM or term[1] != decoupled:
            continue
        found = floats(scales + 4 * index * job[Program.TENSOR_COUNT], job[Program.TENSOR_COUNT])
        for number in range(job[Program.TENSOR_COUNT]):
            tensor = integers(job[Program.TENSORS] + 16 * number, 2)
            start, count = tensor[0], tensor[1] - tensor[0]
            weight = 0 if decoupled else pull[1] + 4 * start * term[2]
            apart = length(count, row[Lane.THETA] + 4 * start, pull[0] + 4 * start, weight, term[2])
            if decoupled:
                found[number] = np.float32(apart)
            else:
                found[number] = np.float32(1.0 / apart) if apart > 0.0 else _ZERO


@inline
def _push(job, lane, scales, start, stop):
    """Add the penalties' gradients to the task's in a range; frozen parameters get none."""
    row, count = integers(lane, LANE), stop - start
    gradient, total = row[Lane.GRADIENT] + 4 * start, row[Lane.TOTAL] + 4 * start
    if job[Program.RATES]:
        hold(count, job[Program.RATES] + 4 * start, gradient)
    if not job[Program.TERM_COUNT]:
        return
    copy(count, gradient, total)
    for index in range(job[Program.TERM_COUNT]):
        term, pull = integers(job[Program.TERMS] + 24 * index, 3), integers(row[Lane.PULLS] + 16 * index, 2)
        if term[1]:
            continue
        if term[0] != NORM:
            _pull(row, term, pull, start, stop, _ONE)
            continue
        measured = floats(scales + 4 * index * job[Program.TENSOR_COUNT], job[Program.TENSOR_COUNT])
        for number in range(job[Program.TENSOR_COUNT]):
            tensor = integers(job[Program.TENSORS] + 16 * number, 2)
            _pull(row, term, pull, max(start, tensor[0]), min(stop, tensor[1]), measured[number])
    if job[Program.RATES]:
        hold(count, job[Program.RATES] + 4 * start, total)


@inline
def _pull(row, term, pull, start, stop, inverse):
    """Add a term's gradient in a range."""
    if start < stop:
        add_pull(
            term[0],
            stop - start,
            row[Lane.THETA] + 4 * start,
            pull[0] + 4 * start,
            pull[1] + 4 * start * term[2],
            term[2],
            inverse,
            row[Lane.TOTAL] + 4 * start,
        )


@inline
def _step(job, lane, step, start, stop):
    """Take the optimiser's step in a range, at its rates."""
    row, count = integers(lane, LANE), stop - start
    if row[Lane.PREVIOUS]:
        copy(count, row[Lane.THETA] + 4 * start, row[Lane.PREVIOUS] + 4 * start)
    used = row[Lane.TOTAL] if job[Program.TERM_COUNT] else row[Lane.GRADIENT]
    for index in range(job[Program.RANGE_COUNT]):
        part = integers(job[Program.RANGES] + 24 * index, 3)
        low, high = max(start, part[0]), min(stop, part[1])
        if low < high:
            taken = 0
            if row[Lane.COUNTS]:
                taken = int(floats(row[Lane.COUNTS] + 4 * part[2], 1)[0]) + step + 1
            _optimise(
                job[Program.OPTIMIZER],
                high - low,
                row[Lane.NUMBERS],
                taken,
                row[Lane.THETA] + 4 * low,
                used + 4 * low,
                row[Lane.FIRST] + 4 * low,
                row[Lane.SECOND] + 4 * low,
            )
    if job[Program.RATES]:
        rescale_step(
            count, job[Program.RATES] + 4 * start, row[Lane.THETA] + 4 * start, row[Lane.PREVIOUS] + 4 * start
        )


@inline
def _optimise(kind, count, numbers, steps, theta, gradient, first, second):
    if kind == SGD:
        step_sgd(count, numbers, theta, gradient, first)
    elif kind == ADAGRAD:
        step_adagrad(count, numbers, steps, theta, gradient, first)
    else:
        step_adam(count, int(kind == ADAMW), numbers, steps, theta, gradient, first, second)


@inline
def _shrink(job, lane, scales, start, stop):
    """Take the decoupled steps in a range."""
    row = integers(lane, LANE)
    for index in range(job[Program.TERM_COUNT]):
        term, pull = integers(job[Program.TERMS] + 24 * index, 3), integers(row[Lane.PULLS] + 16 * index, 2)
        if not term[1]:
            continue
        measured = floats(scales + 4 * index * job[Program.TENSOR_COUNT], job[Program.TENSOR_COUNT])
        for number in range(job[Program.TENSOR_COUNT]):
            tensor = integers(job[Program.TENSORS] + 16 * number, 2)
            low, high = max(start, tensor[0]), min(stop, tensor[1])
            if low < high:
                shrink(
                    term[0],
                    high - low,
                    row[Lane.THETA] + 4 * low,
                    row[Lane.PREVIOUS] + 4 * low,
                    pull[0] + 4 * low,
                    pull[1] + 4 * low * term[2],
                    term[2],
                    row[Lane.DECAYS] + 4 * low * job[Program.DECAY_STRIDE],
                    job[Program.DECAY_STRIDE],
                    measured[number],
                )


@inline
def _note(job, lane, begins, start, stop):
    """Add a step to the sums in a range."""
    row, count = integers(lane, LANE), stop - start
    gradient, theta, before = (
        row[Lane.GRADIENT] + 4 * start,
        row[Lane.THETA] + 4 * start,
        row[Lane.PREVIOUS] + 4 * start,
    )
    if row[Lane.PATH]:
        add_path(count, gradient, theta, before, row[Lane.PATH] + 4 * start)
    if row[Lane.TOTAL_PATH]:
        used = row[Lane.TOTAL] + 4 * start if job[Program.TERM_COUNT] else gradient
        add_path(count, used, theta, before, row[Lane.TOTAL_PATH] + 4 * start)
    if row[Lane.SQUARES]:
        add_squares(count, gradient, row[Lane.SQUARES] + 4 * start)
    if begins and row[Lane.FIRST_SQUARES]:
        set_squares(count, gradient, row[Lane.FIRST_SQUARES] + 4 * start)


@kernel
def update_lanes(program: int, lanes: int, count: int) -> None:
    """Take the step of lanes whose gradients are there; see `update`.

    Args:
        program, lanes: addresses of the rows, see `tables`.
        count: of the lanes.
    """
    for number in range(count):
        update(program, lanes + 8 * LANE * number, 0, 0, 0, 1, 0)
