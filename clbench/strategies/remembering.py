"""What strategies with a memory that is filled at the ends of tasks have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from clbench.context import Context, State
from clbench.models.base import Layout
from clbench.strategies.base import Strategy
from clbench.strategies.replay_buffer import empty, keep, policy_problems
from clbench.streams.base import Stream


def memory_problems(size: int, batch: int | None = None) -> list[str]:
    """Return a line for each size that is out of bounds."""
    found = []
    if size < 0:
        found.append(
            f"The memory must hold at least 0 samples; got strategy.buffer_size={size}. Use 0 for no replay."
        )
    if batch is not None and batch < 1:
        found.append(
            "Samples drawn per step must be at least 1, or null for as many as the batch; "
            f"got strategy.replay_batch_size={batch}."
        )
    return found


def part_problems(size: int, stream: Stream, parts: int = 1) -> list[str]:
    """Return a line where a memory shared by the tasks would have no place for each, or each one's parts."""
    needed = parts * len(stream.tasks)
    if size == 0 or size >= needed:
        return []
    places = "a place for each" if parts == 1 else f"{parts} places (strategy.parts) for each"
    return [
        f"A memory shared by the tasks needs {places} of {len(stream.tasks)}; "
        f"got strategy.buffer_size={size}. Use at least {needed}, or 0 for no replay."
    ]


@dataclass(frozen=True)
class Remembering(Strategy):
    """A memory of past tasks, to which a task's training samples are offered when it ends, each once.

    The first stage is naive's.

    Args:
        buffer_size: samples kept in all; 0 is naive.
        policy: `reservoir`, `ring` or `balanced`, see `memory.keep`.
    """

    buffer_size: int = 500
    policy: str = "reservoir"

    LATER: ClassVar[tuple[str, ...]] = ()
    """Fields that say how the memory is used, not what it keeps: they don't shape the first stage's end."""

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        return memory_problems(self.buffer_size) + policy_problems(self.policy)

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return a line where the ring has too few places."""
        return part_problems(self.buffer_size, stream) if self.policy == "ring" else []

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return what fills the memory after the first stage, and all fields later."""
        if self.buffer_size == 0 or (stage == 0 and phase == "train"):
            return None
        return self.fields(*self.LATER) if stage == 0 else self.fields()

    def start(self, context: Context) -> State:
        """Return an empty memory."""
        return empty(context, self.buffer_size, context.outputs)

    def consolidate(self, context: Context, state: State) -> State:
        """Offer the ended task's samples to the memory."""
        buffer, seen = keep(self.policy, context, state["buffer"], state["seen"])
        return {"buffer": buffer, "seen": seen}
