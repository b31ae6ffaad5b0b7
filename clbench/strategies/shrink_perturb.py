"""Keeping a network able to learn, where the other strategies keep what it has learned."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.context import Context, State
from clbench.fields import number
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

    shrink: float = number(0.8, low=0, high=1)
    perturb: float = number(0.01, low=0)

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
