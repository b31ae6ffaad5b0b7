"""The errors of a batch on its outputs, `[output, sample]`: ∂ Σ weight · loss / ∂ outputs."""

from __future__ import annotations

import math

import numpy as np

from clbench.kernels.compiler import kernel
from clbench.kernels.functions import exp
from clbench.kernels.memory import floats, integers
from clbench.kernels.movement import whole_vectors

MSE, CROSS_ENTROPY = range(2)
CODES = {"mse": MSE, "cross_entropy": CROSS_ENTROPY}
"""The losses by name."""

_ZERO, _TWO = np.float32(0), np.float32(2)


@kernel
def squared_errors(
    batch: int, count: int, room: int, outputs: int, wanted: int, weights: int, errors: int
) -> float:
    """Write 2 w (o − y) / outputs and return Σ w · mean over the outputs of (o − y)².

    Args:
        batch: samples.
        count: outputs.
        room: floats from a row to the next; the errors are 0 beyond the batch.
        outputs, errors: addresses of `[output, room]`.
        wanted: address of y, `[sample, output]`.
        weights: address of w, `[sample]`.
    """
    weight, loss = floats(weights, batch), 0.0
    target = floats(wanted, batch * count)
    for output in range(count):
        row, error = floats(outputs + 4 * output * room, room), floats(errors + 4 * output * room, room)
        for sample in range(batch):
            apart = row[sample] - target[sample * count + output]
            loss += weight[sample] * apart * apart
            error[sample] = apart * (weight[sample] * (_TWO / np.float32(count)))
        for sample in range(batch, room):
            error[sample] = _ZERO
    return loss / count


@kernel
def cross_entropy_errors(
    batch: int, count: int, room: int, outputs: int, wanted: int, tasks: int, masks: int, weights: int,
    errors: int, scratch: int,
) -> float:  # fmt: skip
    """Write w (softmax(o + mask) − onehot(y)), exactly 0 where masked, and return Σ w · (−log softmax(o)[y]).

    Args:
        batch, count, room, outputs, errors, weights: see `squared_errors`.
        wanted: address of y, int64 `[sample]`.
        tasks: address of the samples' tasks, int64 `[sample]`.
        masks: address of 0 or −∞ `[task, output]`; 0: all outputs compete.
        scratch: address of `[2, room]`.
    """
    most, total, weight = floats(scratch, room), floats(scratch + 4 * room, room), floats(weights, batch)
    label, task = integers(wanted, batch), integers(tasks, batch)
    for output in range(count):
        row, error = floats(outputs + 4 * output * room, room), floats(errors + 4 * output * room, room)
        for place in range(room):
            error[place] = row[place]
        if masks:
            for sample in range(batch):
                error[sample] += floats(masks + 4 * (task[sample] * count + output), 1)[0]
        for place in range(room):
            higher = output == 0 or error[place] > most[place]
            most[place] = error[place] if higher else most[place]
    loss = 0.0
    for sample in range(batch):
        loss -= weight[sample] * (floats(errors + 4 * label[sample] * room, room)[sample] - most[sample])
    for place in range(room):
        total[place] = _ZERO
    for output in range(count):
        error = floats(errors + 4 * output * room, room)
        for place in range(room):
            value = exp(error[place] - most[place])
            error[place] = value
            total[place] += value
    for sample in range(batch):
        loss += weight[sample] * math.log(total[sample])
        total[sample] = weight[sample] / total[sample]
    for output in range(count):
        error = floats(errors + 4 * output * room, room)
        for sample in range(batch):
            error[sample] *= total[sample]
        for place in range(batch, room):
            error[place] = _ZERO
    for sample in range(batch):
        floats(errors + 4 * label[sample] * room, room)[sample] -= weight[sample]
    return loss


@kernel
def sample_errors(
    kind: int,
    batch: int,
    count: int,
    outputs: int,
    wanted: int,
    masks: int,
    weights: int,
    errors: int,
    scratch: int,
) -> float:
    """Write the errors and return the loss, as the two above do, of outputs `[sample, output]`.

    Args:
        kind: code of the loss.
        batch, count: samples and outputs.
        outputs, wanted, weights, errors: addresses; the errors are `[sample, output]`, too.
        masks: address of 0 or −∞ `[sample, output]`; 0: all outputs compete.
        scratch: address of `[2 · outputs + 2, room]` and of as many int64 as there are samples, in float32.
    """
    room = whole_vectors(batch)
    turned, slopes, rows = scratch, scratch + 4 * count * room, scratch + 8 * count * room
    numbers = rows + 8 * room
    given, task = floats(outputs, batch * count), integers(numbers, batch)
    for output in range(count):
        row = floats(turned + 4 * output * room, room)
        for sample in range(batch):
            row[sample] = given[sample * count + output]
        for place in range(batch, room):
            row[place] = _ZERO
    for sample in range(batch):
        task[sample] = sample
    if kind == MSE:
        loss = squared_errors(batch, count, room, turned, wanted, weights, slopes)
    else:
        loss = cross_entropy_errors(batch, count, room, turned, wanted, numbers, masks, weights, slopes, rows)
    found = floats(errors, batch * count)
    for output in range(count):
        row = floats(slopes + 4 * output * room, room)
        for sample in range(batch):
            found[sample * count + output] = row[sample]
    return loss
