"""Keeping a network able to learn, where the other strategies keep what it has learned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from clbench.context import Context, State
from clbench.strategies.base import Strategy


@dataclass(frozen=True)
class ShrinkPerturb(Strategy):
    """Between two tasks θ ← shrink · θ + perturb · ε, ε ~ N(0, 1) of the lane's seed (shrink and perturb).

    All parameters that can be trained move, biases included. shrink = 1 with perturb = 0 is naive.

    Args:
        shrink: factor in 0 … 1.
        perturb: standard deviation of the noise.

    Source: Ash & Adams 2020.
    """

    shrink: float = 0.8
    perturb: float = 0.01

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = []
        if not (math.isfinite(self.shrink) and 0 <= self.shrink <= 1):
            found.append(
                "strategy.shrink must lie between 0 and 1; "
                f"got strategy.shrink={self.shrink}. Use 1 to keep θ."
            )
        if not (math.isfinite(self.perturb) and self.perturb >= 0):
            found.append(
                "strategy.perturb must be finite and at least 0; "
                f"got strategy.perturb={self.perturb}. Use 0 for no noise."
            )
        return found

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return all fields between tasks; in training it does nothing."""
        return self.fields() if phase == "consolidate" else None

    def consolidate(self, context: Context, state: State) -> State:
        """Shrink and perturb θ in place."""
        theta, size = context.theta, context.layout.size
        shrink = torch.as_tensor(self.shrink, dtype=theta.dtype, device=theta.device).reshape(-1, 1)
        perturb = torch.as_tensor(self.perturb, dtype=theta.dtype, device=theta.device).reshape(-1, 1)
        noise = torch.zeros_like(theta)
        drawn = [torch.randn(size, generator=one) for one in context.random("perturb")]
        noise[:, :size] = torch.stack(drawn).to(noise)
        moved = theta * shrink + noise * perturb
        factors = context.rate_factors()
        theta.copy_(moved if factors is None else torch.where(factors == 0, theta, moved))
        return state
