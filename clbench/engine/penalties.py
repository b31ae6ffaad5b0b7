"""The penalties of a stage at work: pulls in closed form, any other by autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.engine.lanes_context import LanesContext
from clbench.penalty import Pull, anchor_distance
from clbench.strategies.autograd import penalty_by_autograd


class Penalties:
    """What pulls on the parameters of some lanes in one stage.

    Args:
        context: the lanes; its `acts` have pulls, a penalty, or both.
        factors: of every element's step, 0 where frozen; None for all 1.
    """

    def __init__(self, context: LanesContext, factors: Tensor | None) -> None:
        acts = context.acts
        self.context, self.penalty, self.factors = context, acts.penalty, factors
        pulls = () if acts.pulls is None else acts.pulls(context, context.state)
        self.blocks = list(context.layout.slices().values())
        self.pulls: list[tuple[Pull, Tensor]] = [(pull, torch.empty_like(pull.anchor)) for pull in pulls]
        self.decoupled = [pull for pull in pulls if pull.decoupled]
        rate = context.lr[:, None]
        self.rate = rate if factors is None else rate * factors

    def add(self, total: Tensor, recorded: bool) -> dict[str, Tensor]:
        """Write the task gradient with the penalties' into `total` `[lane, padded]`.

        Returns:
            Of a recorded step the penalty and the norm of its gradient, each `[lane]`.
        """
        context = self.context
        parts = [pull.gradient(context.theta, self.blocks, buffer, recorded) for pull, buffer in self.pulls]
        if self.penalty is not None:
            parts.append(penalty_by_autograd(self.penalty, context, context.state, context.theta))
        gradient = parts[0][1]
        for _, other in parts[1:]:
            gradient = gradient + other
        if self.factors is not None:
            gradient = gradient * (self.factors != 0)
        torch.add(context.task_gradient, gradient, out=total)
        if not recorded:
            return {}
        values = [value for value, _ in parts if value is not None]
        return {
            "penalty": torch.stack(values).sum(0),
            "penalty_grad_norm": torch.linalg.vector_norm(gradient, dim=1),
        }

    def values(self) -> dict[str, Tensor]:
        """Return the penalty and the norm of its gradient, each `[lane]`, at θ."""
        return self.add(torch.empty_like(self.context.theta), recorded=True)

    def shrink(self) -> None:
        """Apply the decoupled pulls to θ, in place, after the optimiser's step."""
        for pull in self.decoupled:
            pull.shrink(self.context.theta, self.context.theta_before, self.rate, self.blocks)

    def anchor_distance(self) -> Tensor | None:
        """Return ‖θ − θ*‖₂ `[lane]` over what the pulls hold, or as the strategy has it where none pulls."""
        if not self.pulls:
            return self.context.anchor_distance()
        return anchor_distance([pull for pull, _ in self.pulls], self.context.theta)
