"""The distillations of a stage at work."""

from __future__ import annotations

from torch import Tensor

from clbench.context import Batch, Context
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
                errors += each.errors(outputs, self.context.outputs_of(batch, each.taught))
        return errors


def _rehearse(each: Distillation, batch: Batch, outputs: Tensor, errors: Tensor) -> None:
    """Add the errors of the samples whose outputs were stored, in place."""
    if batch.places is None or not batch.places.shape[1]:
        return
    held = slice(batch.new, batch.new + batch.places.shape[1])
    taught = each.taught.gather(1, batch.places[..., None].expand(-1, -1, outputs.shape[2]))
    errors[:, held] += each.errors(outputs[:, held], taught)


def _store(each: Distillation, batch: Batch, outputs: Tensor) -> None:
    """Store the outputs of the batch's own samples, in place."""
    if batch.slots is not None:
        own = outputs[:, : batch.new]
        each.taught.scatter_(1, batch.slots[..., None].expand_as(own), own)
