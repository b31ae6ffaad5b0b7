"""Naive rehearsal: training on the memory and the new task's data, shuffled together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.models.base import Layout
from clbench.strategies.base import Strategy
from clbench.strategies.equal_parts import keep_equal_parts, with_memory
from clbench.strategies.remembering import memory_problems, part_problems
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

    buffer_size: int = 500

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        return memory_problems(self.buffer_size)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return a line where the memory has too few places."""
        return part_problems(self.buffer_size, stream)

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return all fields once a task is past."""
        return None if self.buffer_size == 0 or (stage == 0 and phase == "train") else self.fields()

    def start(self, context: Context) -> State:
        """Return an empty memory."""
        return {"buffer": torch.zeros(context.lanes, 0, dtype=torch.int64, device=context.device)}

    def stage_data(self, context: Context, state: State, address: Tensor) -> Tensor:
        """Return the memory, replicated, and the stage's own data."""
        return with_memory(state["buffer"], address, self.buffer_size)

    def consolidate(self, context: Context, state: State) -> State:
        """Return the memory with an equal part of the ended task."""
        return {"buffer": keep_equal_parts(context, state["buffer"], self.buffer_size)}
