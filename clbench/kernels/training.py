"""Whole steps of lanes, one lane after another: batch, forward, errors, backward, update."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import inline, kernel
from clbench.kernels.dense import AFTER, ERRORS, LAYERS, OUTPUTS, SAMPLES, TURNED, backward, forward, layer_of
from clbench.kernels.distillation import distil, keep_taught
from clbench.kernels.losses import MSE, cross_entropy_errors, squared_errors
from clbench.kernels.memory import doubles, floats, integers
from clbench.kernels.movement import gather, whole_vectors
from clbench.kernels.tables import LANE, PROGRAM, Lane, Program
from clbench.kernels.team import meet, share
from clbench.kernels.update import update


@kernel
def _take_step(
    program: int,
    lane: int,
    start: int,
    stop: int,
    step: int,
    begins: int,
    member: int,
    size: int,
    meeting: int,
) -> None:
    job, row, batch = integers(program, PROGRAM), integers(lane, LANE), stop - start
    chain, room, theta, gradient = job[Program.CHAIN], job[Program.ROOM], row[Lane.THETA], row[Lane.GRADIENT]
    _gather_batch(job, row, start, batch, member, size)
    meet(meeting, size)
    if row[Lane.TEACHER]:
        forward(chain, room, row[Lane.TEACHER], batch, member, size, meeting)
        if member == 0:
            keep_taught(program)  # the others wait within the next pass
    forward(chain, room, theta, batch, member, size, meeting)
    if member == 0:
        doubles(row[Lane.FOUND], 1)[0] = _write_errors(job, row, start, batch)
        if row[Lane.DISTILLED]:
            distil(program, lane, step, batch)
    meet(meeting, size)
    backward(chain, room, theta, gradient, batch, member, size, meeting)
    meet(meeting, size)
    update(program, lane, step, begins, member, size, meeting)
    meet(meeting, size)


@kernel
def train_lanes(
    program: int,
    lanes: int,
    count: int,
    ends: int,
    steps: int,
    taken: int,
    member: int,
    size: int,
    meeting: int,
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
            _take_step(
                program, lane, end[step], end[step + 1], step, int(taken + step == 0), member, size, meeting
            )


@inline
def _gather_batch(job, row, start, batch, member, size):
    """Copy a batch's inputs to the first layer, and with the first member its targets, tasks and weights."""
    width = whole_vectors(job[Program.FEATURES])
    turned = job[Program.ROOM] + 4 * layer_of(job[Program.CHAIN], 0)[TURNED]
    first, last = share(batch, member, size, 1)
    addresses = row[Lane.ADDRESSES] + 8 * (start + first)
    gather(
        last - first,
        job[Program.FEATURES],
        addresses,
        job[Program.POOL],
        row[Lane.INPUTS],
        row[Lane.ORDERS],
        turned + 4 * first * width,
        width,
    )
    if member == 0:
        _gather_targets(job, row, start, batch)


@inline
def _gather_targets(job, row, start, batch):
    address, task = (
        integers(row[Lane.ADDRESSES] + 8 * start, batch),
        integers(job[Program.BATCH_TASKS], batch),
    )
    weight = floats(job[Program.BATCH_WEIGHTS], batch)
    outputs = layer_of(job[Program.CHAIN], integers(job[Program.CHAIN], 1)[LAYERS] - 1)[OUTPUTS]
    for place in range(batch):
        task[place] = address[place] // job[Program.POOL]
        sample = address[place] - task[place] * job[Program.POOL]
        if job[Program.LOSS] == MSE:
            wanted = floats(job[Program.BATCH_TARGETS] + 4 * place * outputs, outputs)
            given = floats(row[Lane.TARGETS] + 4 * sample * outputs, outputs)
            for output in range(outputs):
                wanted[output] = given[output]
        else:
            begin = integers(job[Program.STARTS] + 8 * task[place], 1)[0]
            integers(job[Program.BATCH_LABELS], batch)[place] = (
                integers(row[Lane.TARGETS] + 8 * sample, 1)[0] + begin
            )
        if row[Lane.WEIGHTS]:
            weight[place] = floats(row[Lane.WEIGHTS] + 4 * (start + place), 1)[0]
        else:
            weight[place] = np.float32(1.0 / batch)


@inline
def _write_errors(job, row, start, batch):
    """Write the errors on the outputs and return the task loss."""
    head = integers(job[Program.CHAIN], 4)
    last = layer_of(job[Program.CHAIN], head[LAYERS] - 1)
    outputs, errors = job[Program.ROOM] + 4 * last[AFTER], job[Program.ROOM] + 4 * last[ERRORS]
    if job[Program.LOSS] == MSE:
        return squared_errors(
            batch,
            last[OUTPUTS],
            head[SAMPLES],
            outputs,
            job[Program.BATCH_TARGETS],
            job[Program.BATCH_WEIGHTS],
            errors,
        )
    return cross_entropy_errors(
        batch,
        last[OUTPUTS],
        head[SAMPLES],
        outputs,
        job[Program.BATCH_LABELS],
        job[Program.BATCH_TASKS],
        job[Program.MASKS],
        job[Program.BATCH_WEIGHTS],
        errors,
        job[Program.BATCH_ROWS],
    )
