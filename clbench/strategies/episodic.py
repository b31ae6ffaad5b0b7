"""Gradients of past tasks as constraints: GEM and A-GEM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from clbench.models.base import Layout
from clbench.strategies.base import State, Strategy
from clbench.strategies.learner import Learner
from clbench.strategies.memory import draw
from clbench.strategies.projection import project_many, project_one
from clbench.strategies.remembering import Remembering, memory_problems, part_problems
from clbench.strategies.replay import keep_equal_parts, with_memory
from clbench.streams.base import Stream


@dataclass(frozen=True)
class GEM(Strategy):
    """Move along the vector closest to g that raises no past task's loss on the memory, to first order.

    Every step takes the gradient r_t of each past task's whole part of the memory; where any g·r_t < 0, g
    becomes g + Σ v_t r_t, see `project_many`. The memory has memory // tasks random samples of each task
    seen. The first stage is naive's.

    Args:
        memory: samples kept in all; 0 is naive.
        margin: lower bound of v.
        ridge: added to the quadratic program's diagonal.
        rehearse: train on the replicated memory too, as `naive_rehearsal` does (Hsu 2018's GEM).
        shared_by: `seen`: the tasks seen share the memory (Hsu 2018); `stream`: a task has memory // tasks of
            the stream from the start (Lopez-Paz & Ranzato 2017).
        parts: constraints a task: its share of the memory is split into so many, each with its own r and
            its own v ≥ margin. 2 in Hsu 2018's code, which fills the memory twice when a task ends.

    Source: Lopez-Paz & Ranzato 2017; memory, margin and ridge as in Hsu et al. 2018.
    """

    memory: int = 500
    margin: float = 0.5
    ridge: float = 0.001
    rehearse: bool = False
    shared_by: str = "seen"
    parts: int = 1

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = memory_problems(self.memory)
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
        return part_problems(self.memory, stream, max(self.parts, 1))

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return what fills the memory after the first stage, and all fields later."""
        if self.memory == 0 or (stage == 0 and phase == "train"):
            return None
        return self.fields("margin", "ridge", "rehearse", "parts") if stage == 0 else self.fields()

    def acts(self, place: str) -> bool:
        """Tell whether the strategy acts at a place."""
        return (place != "stage_data" or self.rehearse) and Strategy.acts(self, place)

    def start(self, learner: Learner) -> State:
        """Return an empty memory."""
        return {"memory": torch.zeros(learner.lanes, 0, dtype=torch.int64, device=learner.device)}

    def stage_data(self, learner: Learner, state: State, address: Tensor) -> Tensor:
        """Return the memory, replicated, and the stage's own data."""
        return with_memory(state["memory"], address, self.memory)

    def change_gradient(self, learner: Learner, state: State, gradient: Tensor) -> None:
        """Project the gradient."""
        memory = state["memory"]
        if memory.shape[1] == 0:
            return
        if "_parts" not in state:
            task_of = memory[0] // learner.pool  # the same in every lane
            shares = [memory[:, task_of == task] for task in task_of.unique().tolist()]
            parts = [part for share in shares for part in share.tensor_split(self.parts, 1) if part.numel()]
            state["_parts"] = [learner.fetch(part.contiguous()) for part in parts]
        references = torch.stack([learner.gradient_of(part) for part in state["_parts"]], 1)
        gradient.copy_(project_many(gradient, references, self.margin, self.ridge))

    def consolidate(self, learner: Learner, state: State) -> State:
        """Return the memory with an equal part of the ended task."""
        tasks = learner.tasks if self.shared_by == "stream" else None
        return {"memory": keep_equal_parts(learner, state["memory"], self.memory, tasks)}


@dataclass(frozen=True)
class AGEM(Remembering):
    """Project g off the mean gradient r of random samples of all past tasks where g·r < 0 (A-GEM).

    The memory is filled when a task ends; the first stage is naive's. A step draws `reference` samples
    uniformly and with replacement.

    Args:
        memory: samples kept in all; 0 is naive. With `ring` a task has memory // tasks of them.
        policy: `ring` (the paper's), `reservoir` or `balanced`, see `memory.keep`.
        reference: samples drawn per step.

    Source: Chaudhry et al. 2019, «Efficient lifelong learning with A-GEM».
    """

    policy: str = "ring"
    reference: int = 256

    LATER: ClassVar[tuple[str, ...]] = ("reference",)

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = super().problems()
        if self.reference < 1:
            found.append(f"strategy.reference must be at least 1; got strategy.reference={self.reference}.")
        return found

    def change_gradient(self, learner: Learner, state: State, gradient: Tensor) -> None:
        """Project the gradient, once a task is past."""
        if learner.stage == 0 or self.memory == 0:
            return
        batch = learner.fetch(draw(learner, state, state["memory"], self.reference))
        gradient.copy_(project_one(gradient, learner.gradient_of(batch)))
