"""What an optimiser is: a recipe whose state has a lane dimension, and whose steps are taken in place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from torch import Tensor

from clbench.fields import Part

State = dict[str, Tensor]

COUNT = "step"
"""The name of the count of steps in an optimiser's state."""


class Range(NamedTuple):
    """Parameters `[start, stop)` of a lane's flat vector that are stepped by one count.

    Args:
        start, stop: places in the lane.
        count: the key of the state's tensor `[lane]` that counts the steps, where the optimiser has a count.
    """

    start: int
    stop: int
    count: str = COUNT


class StepKernel(NamedTuple):
    """How `clbench.kernels.optimizers` take an optimiser's steps.

    Args:
        code: which kernel.
        numbers: what it is given, see `NUMBERS` there.
        moments: keys of the vectors in the state, in the kernel's order.
    """

    code: int
    numbers: tuple[float, float, float, float, float]
    moments: tuple[str, ...] = ()


class Optimizer(Part, ABC):
    """An optimiser's recipe: a frozen dataclass with at least `lr` and `reset`."""

    KEY: ClassVar[str] = "optimizer"

    lr: float
    reset: bool

    def kernel(self) -> StepKernel | None:
        """Return the CPU kernel that takes its steps; None where there is none."""
        return None

    @abstractmethod
    def init(self, theta: Tensor) -> State:
        """Return the state before the first step: tensors of the shape of θ, and `[lane]`."""

    def ranges(self, padded: int) -> tuple[Range, ...]:
        """Return what of a lane of so many entries is stepped, and by which count."""
        return (Range(0, padded),)

    @abstractmethod
    def bind(self, theta: Tensor, gradient: Tensor, state: State) -> Callable[[], None]:
        """Return a function that takes one step, in place on `theta` `[lane, padded]` and `state`."""
