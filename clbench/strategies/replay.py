"""Training on stored samples of past tasks beside the new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from clbench.models.base import Layout
from clbench.strategies.base import State, Strategy
from clbench.strategies.learner import Learner
from clbench.strategies.memory import draw, policy_problems
from clbench.strategies.remembering import Remembering, memory_problems, part_problems
from clbench.streams.base import Stream


@dataclass(frozen=True)
class ExperienceReplay(Remembering):
    """Add samples of past tasks, drawn from a memory, to every batch (ER).

    The memory is filled when a task ends, from all its training samples, each offered once; replay starts
    with the second task, so the first stage is naive's. Each step draws `replay` samples uniformly and with
    replacement. The loss is the mean over batch and replayed samples together, or, with `weighting=tasks`,
    (1/n) · mean over the batch + (1 − 1/n) · mean over the replayed, n being the tasks so far.

    Args:
        memory: samples kept in all; 0 is naive.
        policy: `reservoir`, `ring` or `balanced`, see `memory.keep`.
        replay: samples drawn per step; null for as many as the batch has.
        weighting: `samples` or `tasks`, see above.

    Source: Chaudhry et al. 2019, «On tiny episodic memories»; weighting by tasks: van de Ven & Tolias 2018.
    """

    replay: int | None = None
    weighting: str = "samples"

    LATER: ClassVar[tuple[str, ...]] = ("replay", "weighting")

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = memory_problems(self.memory, self.replay) + policy_problems(self.policy)
        if self.weighting not in ("samples", "tasks"):
            found.append(
                f"strategy.weighting must be samples or tasks; got strategy.weighting={self.weighting}."
            )
        return found

    def batch_data(self, learner: Learner, state: State, address: Tensor) -> tuple[Tensor, Tensor] | None:
        """Draw from the memory, once a task is past."""
        if learner.stage == 0 or self.memory == 0:
            return None
        own, old = address.shape[1], self.replay or address.shape[1]
        if f"_weight/{own}" not in state:
            weight = torch.full((own + old,), 1.0 / (own + old))
            if self.weighting == "tasks":
                share = 1.0 / (learner.stage + 1)
                weight[:own], weight[own:] = share / own, (1.0 - share) / old
            state[f"_weight/{own}"] = weight.to(learner.device)
        return draw(learner, state, state["memory"], old), state[f"_weight/{own}"]


@dataclass(frozen=True)
class NaiveRehearsal(Strategy):
    """Train on the new task's data and the whole memory, shuffled together (Hsu et al. 2018).

    The memory is shared equally by the tasks seen: memory // tasks random samples each. It is replicated
    max(samples of the new task // memory, 1) times, so that old and new samples are about 1:1, and a pass
    goes through both. The first stage is naive's.

    Args:
        memory: samples kept in all; 0 is naive.

    Source: Hsu et al. 2018.
    """

    memory: int = 500

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        return memory_problems(self.memory)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return a line where the memory has too few places."""
        return part_problems(self.memory, stream)

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return all fields once a task is past."""
        return None if self.memory == 0 or (stage == 0 and phase == "train") else self.fields()

    def start(self, learner: Learner) -> State:
        """Return an empty memory."""
        return {"memory": torch.zeros(learner.lanes, 0, dtype=torch.int64, device=learner.device)}

    def stage_data(self, learner: Learner, state: State, address: Tensor) -> Tensor:
        """Return the memory, replicated, and the stage's own data."""
        return with_memory(state["memory"], address, self.memory)

    def consolidate(self, learner: Learner, state: State) -> State:
        """Return the memory with an equal part of the ended task."""
        return {"memory": keep_equal_parts(learner, state["memory"], self.memory)}


def with_memory(memory: Tensor, address: Tensor, size: int) -> Tensor:
    """Return addresses `[lane, samples]` of the replicated memory and the stage's own data."""
    if memory.shape[1] == 0:
        return address
    return torch.cat([memory.repeat(1, max(address.shape[1] // size, 1)), address], 1)


def keep_equal_parts(learner: Learner, memory: Tensor, size: int, tasks: int | None = None) -> Tensor:
    """Return the memory `[lane, samples]` with size // tasks random samples of each task seen.

    `tasks` is how many share it; None for those seen.

    A task's part lies together and in random order, so that its first samples are kept when it shrinks.
    """
    address = learner.train_addresses(learner.stage)
    part = min(size // (tasks or learner.stage + 1), address.shape[1])
    task_of = memory[0] // learner.pool  # the same in every lane
    old = [memory[:, task_of == task][:, :part] for task in task_of.unique().tolist()]
    orders = [torch.randperm(address.shape[1], generator=one) for one in learner.random("memory/keep")]
    fresh = address.gather(1, torch.stack(orders)[:, :part].to(address.device))
    return torch.cat([*old, fresh], 1)
