"""Experience replay: training on stored samples of past tasks beside the new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.strategies.remembering import Remembering, memory_problems
from clbench.strategies.replay_buffer import draw, policy_problems


@dataclass(frozen=True)
class ExperienceReplay(Remembering):
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

    replay_batch_size: int | None = None
    weighting: str = "samples"

    LATER: ClassVar[tuple[str, ...]] = ("replay_batch_size", "weighting")

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = memory_problems(self.buffer_size, self.replay_batch_size) + policy_problems(self.policy)
        if self.weighting not in ("samples", "tasks"):
            found.append(
                f"strategy.weighting must be samples or tasks; got strategy.weighting={self.weighting}."
            )
        return found

    def batch_data(self, context: Context, state: State, address: Tensor) -> tuple[Tensor, Tensor] | None:
        """Draw from the memory, once a task is past."""
        if context.stage == 0 or self.buffer_size == 0:
            return None
        own, old = address.shape[1], self.replay_batch_size or address.shape[1]
        if f"_weight/{own}" not in state:
            weight = torch.full((own + old,), 1.0 / (own + old))
            if self.weighting == "tasks":
                share = 1.0 / (context.stage + 1)
                weight[:own], weight[own:] = share / own, (1.0 - share) / old
            state[f"_weight/{own}"] = weight.to(context.device)
        return draw(context, state, state["buffer"], old), state[f"_weight/{own}"]
