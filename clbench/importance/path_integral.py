"""The path integral of Synaptic Intelligence: how much each parameter's way lowered the loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context
from clbench.fields import choice, number
from clbench.importance.base import Importance, column
from clbench.importance.step_sum import StepSum


@dataclass(frozen=True)
class PathIntegral(Importance):
    """Ω_task = w / (Δ² + ξ),  w = −Σ_steps g · (θ_after − θ_before),  Δ = θ_end − θ_start of the task.

    Ω ← γ Ω + Ω_task after a task; w starts at 0 in every task. The penalty is λ Σ Ω (θ − θ*)² without ½.
    The gradient g is a batch's, as the optimiser saw it, and the step is the optimiser's actual one.

    Args:
        damping: ξ.
        gradient: `unregularised`: of the task loss alone (Zenke 2017, Hsu 2018); or `regularised`: with the
            penalty's (van de Ven 2018).
        clamp: `none`: Ω may be negative (the paper's sum; Hsu's and van de Ven's code); `task`: a negative
            Ω_task counts as 0; `total`: where the sum over tasks falls below 0 it is put to 0 (the authors'
            code). `task` and `total` are one until the second task has ended.
        gamma: γ, factor on the importance of the tasks before.

    Source: Zenke, Poole & Ganguli 2017, eq. 3–5, and the code published with it.
    """

    damping: float = number(0.1, above=0)
    gradient: str = choice("unregularised", ("unregularised", "regularised"))
    clamp: str = choice("task", ("none", "task", "total"))
    gamma: float = number(1.0, low=0)

    @property
    def accumulates(self) -> bool:
        """A sum that is clamped has no term per task."""
        return self.clamp != "total"

    def decay(self) -> Tensor | float:
        """Return γ."""
        return self.gamma

    def start(self, context: Context) -> dict[str, Tensor]:
        """Return w = 0 and θ at the start of the first task."""
        return {"path": torch.zeros_like(context.theta), "origin": context.theta.clone()}

    def sums(self, context: Context, state: dict[str, Tensor]) -> tuple[StepSum, ...]:
        """Return w."""
        return (StepSum(state["path"], "path", total=self.gradient == "regularised"),)

    def estimate(self, context: Context, state: dict[str, Tensor]) -> Tensor:
        """Return Ω_task, and begin the next task's integral."""
        moved = context.theta - state["origin"]
        found = state["path"] / moved.square_().add_(column(self.damping))
        state["path"] = torch.zeros_like(state["path"])
        state["origin"] = context.theta.clone()
        return found.clamp_(min=0) if self.clamp == "task" else found

    def add(self, before: Tensor | None, fresh: Tensor) -> Tensor:
        """Return γ Ω + Ω_task, and 0 where that is negative with `total`."""
        total = fresh if before is None else fresh.add_(before * column(self.gamma))
        return total.clamp_(min=0) if self.clamp == "total" else total
