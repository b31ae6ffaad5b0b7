"""The errors of a `Distillation` on outputs `[output, sample]`, and the outputs that are stored."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import inline, kernel
from clbench.kernels.dense import AFTER, ERRORS, LAYERS, OUTPUTS, SAMPLES, layer_of
from clbench.kernels.functions import exp
from clbench.kernels.memory import doubles, floats, integers
from clbench.kernels.movement import whole_vectors
from clbench.kernels.tables import LANE, PROGRAM, Lane, Program

WEIGHT, TEMPERATURE, TASK_WEIGHT = range(3)
"""A lane's numbers, float64."""

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def soften(
    samples: int, count: int, room: int, outputs: int, mask: int, temperature: float, found: int, scratch: int
) -> None:
    """Write softmax(z / T + m), exactly 0 where m allows nothing.

    Args:
        samples: their number.
        count: outputs.
        room: floats from a row to the next.
        outputs, found: addresses of z and of what is found, `[output, room]`.
        mask: address of m, 0 or −∞ `[output]`.
        temperature: T.
        scratch: address of `[2, room]`.
    """
    most, total, allowed = floats(scratch, room), floats(scratch + 4 * room, room), floats(mask, count)
    for sample in range(samples):
        most[sample] = np.float32(-np.inf)
        total[sample] = _ZERO
    for output in range(count):
        if allowed[output] == _ZERO:
            row = floats(outputs + 4 * output * room, room)
            for sample in range(samples):
                most[sample] = row[sample] if row[sample] > most[sample] else most[sample]
    for output in range(count):
        row, share = floats(outputs + 4 * output * room, room), floats(found + 4 * output * room, room)
        if allowed[output] == _ZERO:
            for sample in range(samples):
                value = exp((row[sample] - most[sample]) / temperature)
                share[sample] = value
                total[sample] += value
    for sample in range(samples):
        total[sample] = _ONE / total[sample]
    for output in range(count):
        share = floats(found + 4 * output * room, room)
        for sample in range(samples):
            share[sample] = share[sample] * total[sample] if allowed[output] == _ZERO else _ZERO


@kernel
def add_errors(
    samples: int, count: int, room: int, outputs: int, taught: int, heads: int, teachers: int, students: int,
    averaged: int, numbers: int, errors: int, scratch: int,
) -> None:  # fmt: skip
    """Add the errors of a distillation; the formulas stand in `clbench.strategies.distillation`.

    With a weight of 0 nothing is added, whatever the outputs are.

    Args:
        samples, count, room: see `soften`.
        outputs, taught, errors: addresses of z, z' and ∂L/∂z, `[output, room]`.
        heads: their number; 0 for the squared difference.
        teachers, students: addresses of m' and m, `[head, output]`.
        averaged: whether a head's errors are divided by the number of outputs that m allows.
        numbers: address of w, T and the task's weight.
        scratch: address of `[2 · outputs + 2, room]`.
    """
    number = doubles(numbers, 3)
    if samples == 0 or number[WEIGHT] == 0.0:
        return
    if heads == 0:
        slope = np.float32(2.0 * number[WEIGHT] / (samples * count))
        for output in range(count):
            row, held = floats(outputs + 4 * output * room, room), floats(taught + 4 * output * room, room)
            error = floats(errors + 4 * output * room, room)
            for sample in range(samples):
                error[sample] += slope * (row[sample] - held[sample])
        return
    temperature, own, other = np.float32(number[TEMPERATURE]), scratch, scratch + 4 * count * room
    for head in range(heads):
        teacher, student = teachers + 4 * head * count, students + 4 * head * count
        soften(samples, count, room, outputs, student, float(temperature), own, scratch + 8 * count * room)
        soften(samples, count, room, taught, teacher, float(temperature), other, scratch + 8 * count * room)
        allowed, size = floats(student, count), 0
        for output in range(count):
            size += int(allowed[output] == _ZERO)
        slope = np.float32(
            number[WEIGHT] * number[TEMPERATURE] / (heads * samples * (size if averaged else 1))
        )
        for output in range(count):
            if allowed[output] == _ZERO:
                found, wanted = floats(own + 4 * output * room, room), floats(other + 4 * output * room, room)
                error = floats(errors + 4 * output * room, room)
                for sample in range(samples):
                    error[sample] += slope * (found[sample] - wanted[sample])


@kernel
def add_sample_errors(
    samples: int, count: int, outputs: int, taught: int, heads: int, teachers: int, students: int,
    averaged: int, numbers: int, errors: int, scratch: int,
) -> None:  # fmt: skip
    """Add the errors of `add_errors`, of outputs `[sample, output]`.

    Args:
        scratch: address of `[5 · outputs + 2, room]`, room being the samples in whole vectors.
    """
    room = whole_vectors(samples)
    block = 4 * count * room
    _turn(samples, count, room, outputs, scratch)
    _turn(samples, count, room, taught, scratch + block)
    _turn(samples, count, room, errors, scratch + 2 * block)
    add_errors(
        samples, count, room, scratch, scratch + block, heads, teachers, students,
        averaged, numbers, scratch + 2 * block, scratch + 3 * block,
    )  # fmt: skip
    found = floats(errors, samples * count)
    for output in range(count):
        row = floats(scratch + 2 * block + 4 * output * room, room)
        for sample in range(samples):
            found[sample * count + output] = row[sample]


@kernel
def keep_taught(program: int) -> None:
    """Keep the outputs of the pass that was made, of a teacher's θ, before the next one overwrites them."""
    job = integers(program, PROGRAM)
    count, room, outputs, _ = _last(job)
    given, kept = floats(outputs, count * room), floats(job[Program.TAUGHT], count * room)
    for place in range(count * room):
        kept[place] = given[place]


@kernel
def distil(program: int, lane: int, step: int, batch: int) -> None:
    """Weigh the task loss's errors of a batch, add those of the distillation, and store the own outputs.

    Args:
        program, lane: addresses of their rows, see `tables`.
        step: of this call.
        batch: samples.
    """
    job, row = integers(program, PROGRAM), integers(lane, LANE)
    count, room, outputs, errors = _last(job)
    share = np.float32(doubles(row[Lane.DISTILLED], 3)[TASK_WEIGHT])
    for output in range(count):
        error = floats(errors + 4 * output * room, room)
        for sample in range(batch):
            error[sample] *= share
    first, samples = 0, batch
    if row[Lane.STORED]:
        part = integers(job[Program.PARTS] + 16 * step, 4)
        first, samples = part[2] - part[0], part[3] - part[1]
        places = row[Lane.PLACES] + 8 * part[1]
        _recall(samples, count, room, row[Lane.STORED], places, job[Program.TAUGHT] + 4 * first)
    add_errors(
        samples, count, room, outputs + 4 * first, job[Program.TAUGHT] + 4 * first, job[Program.HEADS],
        row[Lane.TEACHER_HEADS], row[Lane.STUDENT_HEADS], job[Program.AVERAGED], row[Lane.DISTILLED],
        errors + 4 * first, job[Program.SOFTENED],
    )  # fmt: skip
    if row[Lane.SLOTS]:
        slots = row[Lane.SLOTS] + 8 * integers(job[Program.PARTS] + 16 * step, 1)[0]
        _store(first, count, room, outputs, slots, row[Lane.STORED])


@inline
def _last(job):
    """Return how many outputs there are, the floats from row to row, and where outputs and errors lie."""
    head = integers(job[Program.CHAIN], SAMPLES + 1)
    last = layer_of(job[Program.CHAIN], head[LAYERS] - 1)
    room = job[Program.ROOM]
    return last[OUTPUTS], head[SAMPLES], room + 4 * last[AFTER], room + 4 * last[ERRORS]


@inline
def _turn(samples, count, room, source, out):
    """Write the transpose of `[sample, output]`."""
    given = floats(source, samples * count)
    for output in range(count):
        row = floats(out + 4 * output * room, room)
        for sample in range(samples):
            row[sample] = given[sample * count + output]


@inline
def _recall(samples, count, room, stored, places, out):
    """Write stored outputs `[place, output]`, of some places, as `[output, sample]`."""
    place = integers(places, samples)
    for sample in range(samples):
        given = floats(stored + 4 * place[sample] * count, count)
        for output in range(count):
            floats(out + 4 * output * room, room)[sample] = given[output]


@inline
def _store(samples, count, room, outputs, slots, stored):
    """Store the outputs of the first samples, one after the other."""
    slot = integers(slots, samples)
    for sample in range(samples):
        kept = floats(stored + 4 * slot[sample] * count, count)
        for output in range(count):
            kept[output] = floats(outputs + 4 * output * room, room)[sample]
