"""Experience replay: training on stored samples of past tasks beside the new ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import choice, count
from clbench.models.base import Layout
from clbench.strategies.acts import Acts, Replay
from clbench.strategies.base import Strategy
from clbench.strategies.replay_buffer import POLICIES, ReplayBuffer, draws
from clbench.streams.base import Stream


@dataclass(frozen=True)
class ExperienceReplay(Strategy):
    """Add samples of past tasks, drawn from a memory, to every batch (ER).

    The memory is filled when a task ends, from all its training samples, each offered once; replay starts
    with the second task, so the first stage is naive's. Each step draws `replay_batch_size` samples uniformly
    and with replacement. The loss is the mean over batch and replayed samples together, or, with
    `weighting=tasks`, (1/n) · mean over the batch + (1 − 1/n) · mean over the replayed,
    n being the tasks so far.

    Args:
        buffer_size: samples kept in all; 0 is naive.
        policy: `reservoir`, `ring` or `balanced`, see `memory.keep`.
        replay_batch_size: samples drawn per step; null for as many as the batch has.
        weighting: `samples` or `tasks`, see above.

    Source: Chaudhry et al. 2019, «On tiny episodic memories»; weighting by tasks: van de Ven & Tolias 2018.
    """

    buffer_size: int = count(500, low=0)
    policy: str = choice("reservoir", POLICIES)
    replay_batch_size: int | None = count(None, none="as many as the batch has")
    weighting: str = choice("samples", ("samples", "tasks"))

    @property
    def buffer(self) -> ReplayBuffer:
        """What is kept of past tasks."""
        return ReplayBuffer(self.buffer_size, self.policy)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        return self.buffer.fit_problems(stream)

    def at(self, stage: int) -> Acts:
        filling = self.buffer.filling()
        return filling._replace(replay=self.replay) if stage and self.buffer_size else filling

    def start(self, context: Context) -> State:
        return self.buffer.empty(context)

    def replay(self, context: Context, state: State, address: Tensor, steps: range) -> Replay:
        """Draw from the buffer."""
        own = address.shape[2]
        old = self.replay_batch_size or own
        weight = torch.full((own + old,), 1.0 / (own + old), device=context.device)
        if self.weighting == "tasks":
            share = 1.0 / (context.stage + 1)
            weight[:own], weight[own:] = share / own, (1.0 - share) / old
        return Replay(draws(context, state["buffer"], old, steps), weight)
