"""The ends of every comparison: doing nothing about forgetting, and learning the tasks together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from clbench.strategies.base import Strategy


@dataclass(frozen=True)
class Naive(Strategy):
    """Train on each task in turn: the lower bound, and the prefix that all others share."""

    role: ClassVar[str] = "naive"

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return None: it never acts."""
        return None


@dataclass(frozen=True)
class Joint(Strategy):
    """Train on the union of all tasks from the first step on.

    It takes as many gradient steps as a run that learns the tasks in turn: a stage is as long as its own
    task alone would make it, and goes on in the union where the stage before stopped.
    """

    role: ClassVar[str] = "joint"

    def stage_tasks(self, stage: int, tasks: int) -> tuple[int, ...]:
        """Choose all tasks."""
        return tuple(range(tasks))

    def paced_by(self, stage: int, tasks: int) -> tuple[int, ...]:
        """Choose the stage's own task for the number of steps."""
        return (stage,)

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return the strategy's name for training; it keeps no state to consolidate."""
        return self.fields() if phase == "train" else None


@dataclass(frozen=True)
class Cumulative(Strategy):
    """Train stage k on the union of tasks 0 … k; an epoch is a pass over that union."""

    role: ClassVar[str] = "cumulative"

    def stage_tasks(self, stage: int, tasks: int) -> tuple[int, ...]:
        """Choose the tasks seen so far."""
        return tuple(range(stage + 1))

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return the strategy's name from the second stage on; the first one is naive's."""
        return self.fields() if phase == "train" and stage > 0 else None
