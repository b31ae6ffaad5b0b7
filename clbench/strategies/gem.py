"""Gradient episodic memory: gradients of past tasks as constraints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import choice, count, number
from clbench.models.base import Layout
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy
from clbench.strategies.equal_parts import keep_equal_parts, with_buffer
from clbench.strategies.projection import project_many
from clbench.strategies.replay_buffer import part_problems
from clbench.streams.base import Stream


@dataclass(frozen=True)
class GEM(Strategy):
    """Move along the vector closest to g that raises no past task's loss on the memory, to first order.

    Every step takes the gradient r_t of each past task's whole part of the memory; where any g·r_t < 0, g
    becomes g + Σ v_t r_t, see `project_many`. The memory has memory // tasks random samples of each task
    seen. The first stage is naive's.

    Args:
        buffer_size: samples kept in all; 0 is naive.
        margin: lower bound of v.
        ridge: added to the quadratic program's diagonal.
        rehearse: train on the replicated memory too, as `naive_rehearsal` does (Hsu 2018's GEM).
        shared_by: `seen`: the tasks seen share the memory (Hsu 2018); `stream`: a task has memory // tasks of
            the stream from the start (Lopez-Paz & Ranzato 2017).
        parts: constraints a task: its share of the memory is split into so many, each with its own r and
            its own v ≥ margin. 2 in Hsu 2018's code, which fills the memory twice when a task ends.

    Source: Lopez-Paz & Ranzato 2017; memory, margin and ridge as in Hsu et al. 2018.
    """

    buffer_size: int = count(500, low=0)
    margin: float = number(0.5, low=0)
    ridge: float = number(0.001, low=0)
    rehearse: bool = False
    shared_by: str = choice("seen", ("seen", "stream"))
    parts: int = count(1)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        return part_problems(self.buffer_size, stream, self.parts)

    def at(self, stage: int) -> Acts:
        if self.buffer_size == 0:
            return Acts()
        filling = Acts(consolidate=self.consolidate, kept_by=("buffer_size", "shared_by"))
        if stage == 0:
            return filling
        return filling._replace(gradient=self.gradient, data=self.data if self.rehearse else None)

    def start(self, context: Context) -> State:
        return {"buffer": torch.zeros(context.lanes, 0, dtype=torch.int64, device=context.device)}

    def data(self, context: Context, state: State, address: Tensor) -> Tensor:
        """Return the memory, replicated, and the stage's own data."""
        return with_buffer(state["buffer"], address, self.buffer_size)

    def gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        """Project the gradient."""
        if "gem/parts" not in context.scratch:
            buffer = state["buffer"]
            task_of = buffer[0] // context.pool  # the same in every lane
            shares = [buffer[:, task_of == task] for task in task_of.unique().tolist()]
            parts = [part for share in shares for part in share.tensor_split(self.parts, 1) if part.numel()]
            context.scratch["gem/parts"] = [context.fetch(part.contiguous()) for part in parts]
        references = torch.stack([context.gradient_of(part) for part in context.scratch["gem/parts"]], 1)
        gradient.copy_(project_many(gradient, references, self.margin, self.ridge))

    def consolidate(self, context: Context, state: State) -> State:
        """Return the memory with an equal part of the ended task."""
        tasks = context.tasks if self.shared_by == "stream" else None
        return {"buffer": keep_equal_parts(context, state["buffer"], self.buffer_size, tasks)}
