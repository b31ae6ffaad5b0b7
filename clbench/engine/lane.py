"""What a phase records of a lane for its results, and what the next one starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clbench.config import Evaluation
from clbench.engine.memory import Claim
from clbench.engine.plan import Phase
from clbench.engine.recorder import StageRecord
from clbench.engine.state import LaneState
from clbench.streams.base import Stream


@dataclass(frozen=True, eq=False)
class LaneRecord:
    """What a phase recorded of a lane; with those before it, what the lane's results are made of.

    Args:
        phase: the phase.
        before: the record of the phase before; None at the root.
        record: of the program's stage; None after a consolidation.
        lane: the lane's place there.
        lanes: how many lanes the program had.
        seconds, evaluating: this lane's share of the program's time, and of that for evaluation.
        alive: False once the lane has diverged or failed.
        message: why it failed.
        stored: whether it was trained by an earlier sweep.
    """

    phase: Phase
    before: LaneRecord | None
    record: StageRecord | None
    lane: int = 0
    lanes: int = 1
    seconds: float = 0.0
    evaluating: float = 0.0
    alive: bool = True
    message: str | None = None
    stored: bool = False

    def chain(self) -> list[LaneRecord]:
        """Return the records of all phases from the root to this one."""
        found: list[LaneRecord] = []
        record: LaneRecord | None = self
        while record is not None:  # of a long stream too many for a recursion
            found.append(record)
            record = record.before
        return found[::-1]


@dataclass(frozen=True, eq=False)
class ReadyPhase:
    """A phase whose parent is done; nobody else holds what it starts from.

    Args:
        phase: the phase.
        state, before: what the phase before left; None at the root.
        claim: on the memory; None where there is none yet.
    """

    phase: Phase
    state: LaneState | None = None
    before: LaneRecord | None = None
    claim: Claim | None = None


def finite_points(record: StageRecord, lane: int, stream: Stream, evaluation: Evaluation) -> np.ndarray:
    """Return at which points of a stage a lane was finite, `[points]`.

    A lane is finite at a point if every loss on a non-empty split is, and so was every batch's task
    loss at the recorded steps up to there.
    """
    filled = np.array([[len(task.split(split)) > 0 for split in evaluation.splits] for task in stream.tasks])
    finite = np.array(np.isfinite(record.arrays["loss"][:, lane])[:, filled].all(1))
    trained = np.isfinite(record.arrays["training/task_loss"][:, lane])
    finite[len(finite) - len(trained) :] &= trained
    return np.logical_and.accumulate(finite)
