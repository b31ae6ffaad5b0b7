"""Riemannian Walk: a running Fisher plus a path integral measured in the Fisher's own metric."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context
from clbench.fields import choice, count, number
from clbench.importance.base import Importance, column
from clbench.importance.step_sum import StepSum


@dataclass(frozen=True)
class RWalk(Importance):
    """Ω = F + s, where both run through the tasks.

    F ← (1 − α) F + α · mean over the last `interval` steps of g²;  g is a batch's gradient of the task
    loss with the true labels (the first step's g² starts F). In the same intervals
    s_task += max(0, ΔL / (h F (θ_now − θ_interval start)² + ξ)),  ΔL = −Σ_steps g · (θ_after − θ_before),
    with the F from before the interval. After a task s ← ½ (s + s_task); after the first s = s_task.
    With `score=added`, s ← s + ½ (s + s_task) instead; with `none`, Ω = F: EWC with a running Fisher.
    With `window=task` the sum of g² runs from the start of the task, still divided by `interval`.
    With `normalised`, F and s are each mapped to [0, 1] by their smallest and largest entry over all
    parameters before they are added. The penalty is λ Σ Ω (θ − θ*)² without ½.

    Args:
        decay_rate: α.
        interval: steps between updates.
        damping: ξ.
        half: h = ½ (the paper's KL distance) where true, 1 (the authors' code) where false.
        normalised: see above (the paper and the authors' code).
        score: `averaged` (the paper), `added` (the authors' code) or `none`.
        window: `interval` (the paper, and the authors' EWC) or `task` (the authors' RWalk, whose sum of
            squares is emptied at the end of a task only).

    The defaults are the paper's; `strategy=rwalk_code` is the authors' code.

    Source: Chaudhry et al. 2018, §4, and the code that Chaudhry et al. 2019 published with A-GEM.
    """

    decay_rate: float = number(0.9, low=0, high=1)
    interval: int = count(50, unit="steps")
    damping: float = number(0.001, above=0)
    half: bool = True
    normalised: bool = True
    score: str = choice("averaged", ("averaged", "added", "none"))
    window: str = choice("interval", ("interval", "task"))

    @property
    def accumulates(self) -> bool:
        """F and s run through the tasks by themselves."""
        return False

    def start(self, context: Context) -> dict[str, Tensor]:
        """Return empty sums and θ at the start."""
        names = ("fisher", "squares", "path", "score", "task_score")
        zeros = {name: torch.zeros_like(context.theta) for name in names}
        return {**zeros, "origin": context.theta.clone()}

    def sums(self, context: Context, state: dict[str, Tensor]) -> tuple[StepSum, ...]:
        """Return F at the first step, Σ g² and ΔL."""
        return (
            StepSum(state["fisher"], "first_square"),
            StepSum(state["squares"], "square"),
            StepSum(state["path"], "path"),
        )

    @property
    def observed_every(self) -> int:
        """The interval."""
        return self.interval

    def observe(self, context: Context, state: dict[str, Tensor]) -> None:
        """Update F and s_task, and begin the next interval's sums."""
        moved = context.theta - state["origin"]
        length = moved.square_().mul_(state["fisher"]).mul_(0.5 if self.half else 1.0)
        gained = state["path"] / length.add_(column(self.damping))
        state["task_score"].add_(gained.clamp_(min=0))
        rate = column(self.decay_rate)
        state["fisher"].mul_(1 - rate).add_(state["squares"] * (rate / self.interval))
        state["origin"].copy_(context.theta)
        state["path"].zero_()
        if self.window == "interval":
            state["squares"].zero_()

    def estimate(self, context: Context, state: dict[str, Tensor]) -> Tensor:
        """Return F + s, and begin the next task's sums."""
        fresh = state["task_score"]
        averaged = fresh if context.stage == 0 else 0.5 * (state["score"] + fresh)
        state["score"] = state["score"] + averaged if self.score == "added" else averaged
        for name in ("squares", "path", "task_score"):
            state[name] = torch.zeros_like(context.theta)
        state["origin"] = context.theta.clone()
        parts = [state["fisher"]] if self.score == "none" else [state["fisher"], state["score"]]
        if self.normalised:
            parts = [_normalised(part, context.layout.size) for part in parts]
        return torch.stack(parts).sum(0)


def _normalised(values: Tensor, size: int) -> Tensor:
    """Return values mapped to [0, 1] per lane over its parameters, 0 in the padding."""
    held = values[:, :size]
    low, high = held.amin(1, keepdim=True), held.amax(1, keepdim=True)
    result = torch.zeros_like(values)
    result[:, :size] = (held - low) / torch.where(high > low, high - low, 1.0)
    return result
