"""Whole steps of lanes, one lane after another: batch, forward, errors, backward, penalties, optimiser, sums."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import inline, kernel
from clbench.kernels.dense import AFTER, ERRORS, LAYERS, OUTPUTS, SAMPLES, TURNED, backward, forward, layer_of
from clbench.kernels.losses import MSE, cross_entropy_errors, squared_errors
from clbench.kernels.memory import doubles, floats, integers
from clbench.kernels.movement import gather, whole_vectors
from clbench.kernels.tables import (
    ADDRESSES,
    CHAIN,
    FEATURES,
    FOUND,
    GRADIENT,
    INPUTS,
    LABELS,
    LANE,
    LOSS,
    MASKS,
    NUMBERS_OUT,
    ORDERS,
    POOL,
    PROGRAM,
    ROOM,
    ROWS_OUT,
    SHARES,
    STARTS,
    TARGETS,
    TASKS,
    THETA,
    WEIGHTS,
)
from clbench.kernels.team import meet, share
from clbench.kernels.update import update


@kernel
def _take_step(
    program: int, lane: int, start: int, stop: int, step: int, begins: int, member: int, size: int, meeting: int
) -> None:
    job, row, batch = integers(program, PROGRAM), integers(lane, LANE), stop - start
    chain, room, theta, gradient = job[CHAIN], job[ROOM], row[THETA], row[GRADIENT]
    _gather_batch(job, row, start, batch, member, size)
    meet(meeting, size)
    forward(chain, room, theta, batch, member, size, meeting)
    if member == 0:
        doubles(row[FOUND], 1)[0] = _write_errors(job, row, start, batch)
    meet(meeting, size)
    backward(chain, room, theta, gradient, batch, member, size, meeting)
    meet(meeting, size)
    update(program, lane, step, begins, member, size, meeting)
    meet(meeting, size)


@kernel
def train_lanes(
    program: int, lanes: int, count: int, ends: int, steps: int, taken: int, member: int, size: int, meeting: int
) -> None:
    """Take some steps of lanes.

    Args:
        program: address of the program's row, see `tables`.
        lanes: address of the lanes' rows.
        count: of the lanes.
        ends: address of where each batch ends among a lane's samples, int64 `[1 + steps]`, 0 first.
        steps: how many.
        taken: steps of the run before these.
        member, size, meeting: of the team, see `team`.
    """
    end = integers(ends, 1 + steps)
    for number in range(count):
        lane = lanes + 8 * LANE * number
        for step in range(steps):
            _take_step(program, lane, end[step], end[step + 1], step, int(taken + step == 0), member, size, meeting)


@inline
def _gather_batch(job, row, start, batch, member, size):
    """Copy a batch's inputs to the first layer, and with the first member its targets, tasks and weights."""
    width = whole_vectors(job[FEATURES])
    turned = job[ROOM] + 4 * layer_of(job[CHAIN], 0)[TURNED]
    first, last = share(batch, member, size, 1)
    addresses = row[ADDRESSES] + 8 * (start + first)
    gather(
        last - first, job[FEATURES], addresses, job[POOL], row[INPUTS], row[ORDERS], turned + 4 * first * width, width
    )
    if member == 0:
        _gather_targets(job, row, start, batch)


@inline
def _gather_targets(job, row, start, batch):
    address, task = integers(row[ADDRESSES] + 8 * start, batch), integers(job[TASKS], batch)
    weight = floats(job[SHARES], batch)
    outputs = layer_of(job[CHAIN], integers(job[CHAIN], 1)[LAYERS] - 1)[OUTPUTS]
    for place in range(batch):
        task[place] = address[place] // job[POOL]
        sample = address[place] - task[place] * job[POOL]
        if job[LOSS] == MSE:
            wanted = floats(job[NUMBERS_OUT] + 4 * place * outputs, outputs)
            given = floats(row[TARGETS] + 4 * sample * outputs, outputs)
            for output in range(outputs):
                wanted[output] = given[output]
        else:
            begin = integers(job[STARTS] + 8 * task[place], 1)[0]
            integers(job[LABELS], batch)[place] = integers(row[TARGETS] + 8 * sample, 1)[0] + begin
        if row[WEIGHTS]:
            weight[place] = floats(row[WEIGHTS] + 4 * (start + place), 1)[0]
        else:
            weight[place] = np.float32(1.0 / batch)


@inline
def _write_errors(job, row, start, batch):
    """Write the errors on the outputs and return the task loss."""
    head = integers(job[CHAIN], 4)
    last = layer_of(job[CHAIN], head[LAYERS] - 1)
    outputs, errors = job[ROOM] + 4 * last[AFTER], job[ROOM] + 4 * last[ERRORS]
    if job[LOSS] == MSE:
        return squared_errors(
            batch, last[OUTPUTS], head[SAMPLES], outputs, job[NUMBERS_OUT], job[SHARES], errors
        )
    return cross_entropy_errors(
        batch, last[OUTPUTS], head[SAMPLES], outputs, job[LABELS], job[TASKS], job[MASKS], job[SHARES],
        errors, job[ROWS_OUT],
    )  # fmt: skip
