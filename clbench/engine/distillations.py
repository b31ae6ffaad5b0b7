"""The distillations of a stage at work."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.context import Batch, Context
from clbench.engine.rows import Rows
from clbench.kernels import distillation as kernels
from clbench.kernels.tables import Lane, Program
from clbench.kernels.vectors import whole
from clbench.models.lane_product import takes_kernels
from clbench.strategies.distillation import Distillation, across


class Distillations:
    """What the outputs of some lanes are held to in one stage.

    Args:
        context: the lanes.
        distillations: all of the stage.
    """

    def __init__(self, context: Context, distillations: tuple[Distillation, ...]) -> None:
        self.context, self.distillations = context, distillations

    def add(self, batch: Batch, outputs: Tensor, errors: Tensor) -> Tensor:
        """Return the task loss's errors `[lane, batch, outputs]` with those of all; store the own outputs."""
        for each in self.distillations:
            errors = errors * across(each.task_weight)
        for each in self.distillations:
            if each.stored:
                _rehearse(each, batch, outputs, errors)
                _store(each, batch, outputs)
            else:
                _add_errors(each, outputs, self.context.outputs_of(batch, each.taught), errors, 0)
        return errors


def set_distillation(rows: Rows, distillation: Distillation) -> None:
    """Set what the outputs are held to."""
    each, lanes = distillation, len(rows.lanes)
    assert not each.stored or each.taught[0].is_contiguous()
    rows.set_lanes(Lane.STORED if each.stored else Lane.TEACHER, each.taught)
    rows.set_lanes(Lane.DISTILLED, _numbers(each, lanes))
    if each.temperature is not None and each.teacher is not None and each.student is not None:
        rows.set(Program.HEADS, each.teacher.shape[1])
        rows.set(Program.AVERAGED, int(each.averaged))
        rows.set_lanes(Lane.TEACHER_HEADS, each.teacher.contiguous())
        rows.set_lanes(Lane.STUDENT_HEADS, each.student.contiguous())


def _rehearse(each: Distillation, batch: Batch, outputs: Tensor, errors: Tensor) -> None:
    """Add the errors of the samples whose outputs were stored, in place."""
    if batch.places is None or not batch.places.shape[1]:
        return
    taught = each.taught.gather(1, batch.places[..., None].expand(-1, -1, outputs.shape[2]))
    _add_errors(each, outputs, taught, errors, batch.new)


def _store(each: Distillation, batch: Batch, outputs: Tensor) -> None:
    """Store the outputs of the batch's own samples, in place."""
    if batch.slots is not None:
        own = outputs[:, : batch.new]
        each.taught.scatter_(1, batch.slots[..., None].expand_as(own), own)


def _add_errors(each: Distillation, outputs: Tensor, taught: Tensor, errors: Tensor, first: int) -> None:
    """Add the errors of the samples from the first on that something is taught to, in place."""
    held = slice(first, first + taught.shape[1])
    if takes_kernels(outputs):
        _add_by_kernel(each, outputs.contiguous()[:, held], taught, errors[:, held])
    else:
        errors[:, held] += each.errors(outputs[:, held], taught)


def _add_by_kernel(each: Distillation, outputs: Tensor, taught: Tensor, errors: Tensor) -> None:
    """Add the errors by the kernel that also the compiled steps use; a lane's samples lie together."""
    lanes, samples, count = outputs.shape
    rows = Rows(lanes)
    set_distillation(rows, each)
    room = whole(samples)
    scratch = torch.empty((5 * count + 2) * room)
    for lane, row in enumerate(rows.lanes):
        kernels.add_sample_errors.python(
            samples, count, outputs[lane].data_ptr(), taught[lane].data_ptr(),
            int(rows.program[Program.HEADS]), row[Lane.TEACHER_HEADS], row[Lane.STUDENT_HEADS],
            rows.program[Program.AVERAGED], row[Lane.DISTILLED], errors[lane].data_ptr(), scratch.data_ptr(),
        )  # fmt: skip


def _numbers(each: Distillation, lanes: int) -> Tensor:
    """Return w, T and the task's weight, float64 `[lane, 3]`."""
    temperature = 1.0 if each.temperature is None else each.temperature
    values = (each.weight, temperature, each.task_weight)
    return torch.stack([torch.as_tensor(value, dtype=torch.float64).expand(lanes) for value in values], 1)
