"""What takes the steps of a stage: the interface of the engine's ways."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from clbench.engine.state import StageState


class Stepper(ABC):
    """What takes the steps of a stage between two evaluation points."""

    @abstractmethod
    def advance(self, state: StageState, start: int, stop: int) -> tuple[dict[str, Tensor], int]:
        """Take the steps from `start` to before `stop` of the stage, counted from 0, in place.

        Returns:
            The columns of training.csv at the last step, each `[lane]`; the samples that a lane has seen.
        """
