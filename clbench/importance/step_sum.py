"""What is summed over the steps of a stage, as data: where to, and what of every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clbench.context import Context


@dataclass(frozen=True, eq=False)
class StepSum:
    """A sum over steps, given once a stage. g is the gradient and Δ = θ_after − θ_before of a step.

    Args:
        into: where it is kept, `[lane, padded]`; changed in place.
        kind: `path`: into ← into − g · Δ;  `square`: into ← into + g²;  `first_square`: into ← g² at the
            run's first step, and nothing at any other.
        total: whether g is what the optimiser was given, penalties included; else the task loss's alone.
    """

    into: Tensor
    kind: Literal["path", "square", "first_square"]
    total: bool = False


class StepSums:
    """The sums of a stage at work.

    Args:
        sums: all of them.
        theta: parameters `[lane, padded]`, for their shape.
    """

    def __init__(self, sums: Sequence[StepSum], theta: Tensor) -> None:
        self.sums, self.moved = sums, torch.empty_like(theta)
        self.follow_path = any(each.kind == "path" for each in sums)
        """Whether θ from before a step is needed."""

    def add(self, context: Context) -> None:
        """Add a step that was just taken, in place."""
        if self.follow_path:
            torch.sub(context.theta, context.theta_before, out=self.moved)
        for each in self.sums:
            gradient = context.total_gradient if each.total else context.task_gradient
            if each.kind == "path":
                each.into.addcmul_(gradient, self.moved, value=-1.0)
            elif each.kind == "square":
                each.into.addcmul_(gradient, gradient)
            elif context.step == 1:
                torch.square(gradient, out=each.into)
