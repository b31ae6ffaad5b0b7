"""The ends of every comparison: doing nothing about forgetting, and learning the tasks together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy


@dataclass(frozen=True)
class Naive(Strategy):
    """Train on each task in turn: the lower bound, and the prefix that all others share."""

    role: ClassVar[str] = "naive"


@dataclass(frozen=True)
class Joint(Strategy):
    """Train on the union of all tasks from the first step on.

    It takes as many gradient steps as a run that learns the tasks in turn: a stage is as long as its own
    task alone would make it, and goes on in the union where the stage before stopped.
    """

    role: ClassVar[str] = "joint"

    def at(self, stage: int) -> Acts:
        return Acts(tasks="all", epoch="own")


@dataclass(frozen=True)
class Cumulative(Strategy):
    """Train stage k on the union of tasks 0 … k; an epoch is a pass over that union."""

    role: ClassVar[str] = "cumulative"

    def at(self, stage: int) -> Acts:
        return Acts(tasks="seen") if stage else Acts()
