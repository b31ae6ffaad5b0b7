"""Naive rehearsal: training on the memory and the new task's data, shuffled together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import count
from clbench.models.base import Layout
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy
from clbench.strategies.equal_parts import keep_equal_parts, with_buffer
from clbench.strategies.replay_buffer import part_problems
from clbench.streams.base import Stream


@dataclass(frozen=True)
class NaiveRehearsal(Strategy):
    """Train on the new task's data and the whole memory, shuffled together (Hsu et al. 2018).

    The memory is shared equally by the tasks seen: memory // tasks random samples each. It is replicated
    max(samples of the new task // memory, 1) times, so that old and new samples are about 1:1, and a pass
    goes through both. The first stage is naive's.

    Args:
        buffer_size: samples kept in all; 0 is naive.

    Source: Hsu et al. 2018.
    """

    buffer_size: int = count(500, low=0)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        return part_problems(self.buffer_size, stream)

    def at(self, stage: int) -> Acts:
        if self.buffer_size == 0:
            return Acts()
        return Acts(data=self.data if stage else None, consolidate=self.consolidate)

    def start(self, context: Context) -> State:
        return {"buffer": torch.zeros(context.lanes, 0, dtype=torch.int64, device=context.device)}

    def data(self, context: Context, state: State, address: Tensor) -> Tensor:
        """Return the memory, replicated, and the stage's own data."""
        return with_buffer(state["buffer"], address, self.buffer_size)

    def consolidate(self, context: Context, state: State) -> State:
        """Return the memory with an equal part of the ended task."""
        return {"buffer": keep_equal_parts(context, state["buffer"], self.buffer_size)}
