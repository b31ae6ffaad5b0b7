"""Averaged GEM: one constraint from all past tasks together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from clbench.context import Context, State
from clbench.strategies.projection import project_one
from clbench.strategies.remembering import Remembering
from clbench.strategies.replay_buffer import draw


@dataclass(frozen=True)
class AGEM(Remembering):
    """Project g off the mean gradient r of random samples of all past tasks where g·r < 0 (A-GEM).

    The memory is filled when a task ends; the first stage is naive's. A step draws `reference` samples
    uniformly and with replacement.

    Args:
        buffer_size: samples kept in all; 0 is naive. With `ring` a task has memory // tasks of them.
        policy: `ring` (the paper's), `reservoir` or `balanced`, see `memory.keep`.
        reference: samples drawn per step.

    Source: Chaudhry et al. 2019, «Efficient lifelong learning with A-GEM».
    """

    policy: str = "ring"
    reference: int = 256

    LATER: ClassVar[tuple[str, ...]] = ("reference",)

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = super().problems()
        if self.reference < 1:
            found.append(f"strategy.reference must be at least 1; got strategy.reference={self.reference}.")
        return found

    def change_gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        """Project the gradient, once a task is past."""
        if context.stage == 0 or self.buffer_size == 0:
            return
        batch = context.fetch(draw(context, state, state["buffer"], self.reference))
        gradient.copy_(project_one(gradient, context.gradient_of(batch)))
