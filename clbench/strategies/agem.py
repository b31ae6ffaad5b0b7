"""Averaged GEM: one constraint from all past tasks together."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from clbench.context import Context, State
from clbench.fields import choice, count
from clbench.models.base import Layout
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy
from clbench.strategies.projection import project_one
from clbench.strategies.replay_buffer import POLICIES, ReplayBuffer
from clbench.streams.base import Stream


@dataclass(frozen=True)
class AGEM(Strategy):
    """Project g off the mean gradient r of random samples of all past tasks where g·r < 0 (A-GEM).

    The memory is filled when a task ends; the first stage is naive's. A step draws `reference` samples
    uniformly and with replacement.

    Args:
        buffer_size: samples kept in all; 0 is naive. With `ring` a task has memory // tasks of them.
        policy: `ring` (the paper's), `reservoir` or `balanced`, see `memory.keep`.
        reference: samples drawn per step.

    Source: Chaudhry et al. 2019, «Efficient lifelong learning with A-GEM».
    """

    buffer_size: int = count(500, low=0)
    policy: str = choice("ring", POLICIES)
    reference: int = count(256)

    @property
    def buffer(self) -> ReplayBuffer:
        """What is kept of past tasks."""
        return ReplayBuffer(self.buffer_size, self.policy)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        return self.buffer.fit_problems(stream)

    def at(self, stage: int) -> Acts:
        filling = self.buffer.filling()
        return filling._replace(gradient=self.gradient) if stage and self.buffer_size else filling

    def start(self, context: Context) -> State:
        return self.buffer.empty(context)

    def gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        """Project the gradient."""
        batch = context.fetch(self.buffer.draw(context, state, self.reference))
        gradient.copy_(project_one(gradient, context.gradient_of(batch)))
