"""What an importance estimator is: the Ω of a quadratic penalty, and all that sets such methods apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from clbench.context import Context, State
from clbench.fields import Part
from clbench.importance.step_sum import StepSum
from clbench.streams.base import Stream


@dataclass(frozen=True)
class Importance(Part, ABC):
    """How much each parameter matters to the tasks learned so far: Ω `[lane, padded]`.

    An estimator keeps what it needs in the strategy's state, under names of its own.
    """

    KEY: ClassVar[str] = "strategy.importance"

    sums: ClassVar[Callable[..., tuple[StepSum, ...]] | None] = None
    """`(context, state)` → what is summed over the steps of a stage, into tensors of the state.
    Written by estimators that follow the training, and so act in the first stage too."""

    observe: ClassVar[Callable[..., None] | None] = None
    """`(context, state)` looks back at the end of every interval of steps, after its last step was added to
    the sums, and changes the state's tensors in place."""

    @property
    def accumulates(self) -> bool:
        """Whether Ω is a sum over tasks, whose terms may have an anchor each."""
        return True

    @property
    def observed_every(self) -> int:
        """Steps of a stage between two calls of `observe`."""
        return 1

    def fit_problems(self, stream: Stream) -> list[str]:
        """Return one line per field that does not fit a stream."""
        return []

    def start(self, context: Context) -> State:
        """Return what the estimator keeps, before the first phase in which the strategy acts."""
        return {}

    @abstractmethod
    def estimate(self, context: Context, state: State) -> Tensor | None:
        """Return the ended task's Ω `[lane, padded]`, in a fresh tensor; None for 1 everywhere."""

    def decay(self) -> Tensor | float:
        """Return γ, by which the Ω of the tasks before is multiplied when a task's is added, or `[lane]`."""
        return 1.0

    def add(self, before: Tensor | None, fresh: Tensor) -> Tensor:
        """Return Ω with the ended task's, γ Ω + Ω_task, in `fresh`; `before` is None after the first."""
        if before is None or not self.accumulates:
            return fresh
        return fresh.add_(before * column(self.decay()))


@dataclass(frozen=True)
class Ones(Importance):
    """Ω = 1: every parameter matters alike; not summed over tasks (with `each`: the number of tasks)."""

    def estimate(self, context: Context, state: State) -> None:
        """Return None, which stands for 1 everywhere."""
        return None


def column(value: Tensor | float) -> Tensor | float:
    """Return a number that may differ between lanes, `[lane]`, as a factor of `[lane, padded]`."""
    return value[:, None] if isinstance(value, Tensor) else value
