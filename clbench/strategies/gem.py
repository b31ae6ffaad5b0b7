"""Gradient episodic memory: gradients of past tasks as constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.models.base import Layout
from clbench.strategies.base import Strategy
from clbench.strategies.equal_parts import keep_equal_parts, with_memory
from clbench.strategies.projection import project_many
from clbench.strategies.remembering import memory_problems, part_problems
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

    buffer_size: int = 500
    margin: float = 0.5
    ridge: float = 0.001
    rehearse: bool = False
    shared_by: str = "seen"
    parts: int = 1

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = memory_problems(self.buffer_size)
        for name in ("margin", "ridge"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                found.append(f"strategy.{name} must be finite and at least 0; got strategy.{name}={value}.")
        if self.shared_by not in ("seen", "stream"):
            found.append(
                f"strategy.shared_by must be seen or stream; got strategy.shared_by={self.shared_by}."
            )
        if self.parts < 1:
            found.append(f"strategy.parts must be at least 1; got strategy.parts={self.parts}.")
        return found

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return a line where the memory has too few places."""
        return part_problems(self.buffer_size, stream, max(self.parts, 1))

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return what fills the memory after the first stage, and all fields later."""
        if self.buffer_size == 0 or (stage == 0 and phase == "train"):
            return None
        return self.fields("margin", "ridge", "rehearse", "parts") if stage == 0 else self.fields()

    def acts(self, place: str) -> bool:
        """Tell whether the strategy acts at a place."""
        return (place != "stage_data" or self.rehearse) and Strategy.acts(self, place)

    def start(self, context: Context) -> State:
        """Return an empty memory."""
        return {"buffer": torch.zeros(context.lanes, 0, dtype=torch.int64, device=context.device)}

    def stage_data(self, context: Context, state: State, address: Tensor) -> Tensor:
        """Return the memory, replicated, and the stage's own data."""
        return with_memory(state["buffer"], address, self.buffer_size)

    def change_gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        """Project the gradient."""
        memory = state["buffer"]
        if memory.shape[1] == 0:
            return
        if "_parts" not in state:
            task_of = memory[0] // context.pool  # the same in every lane
            shares = [memory[:, task_of == task] for task in task_of.unique().tolist()]
            parts = [part for share in shares for part in share.tensor_split(self.parts, 1) if part.numel()]
            state["_parts"] = [context.fetch(part.contiguous()) for part in parts]
        references = torch.stack([context.gradient_of(part) for part in state["_parts"]], 1)
        gradient.copy_(project_many(gradient, references, self.margin, self.ridge))

    def consolidate(self, context: Context, state: State) -> State:
        """Return the memory with an equal part of the ended task."""
        tasks = context.tasks if self.shared_by == "stream" else None
        return {"buffer": keep_equal_parts(context, state["buffer"], self.buffer_size, tasks)}
