"""What is reported while runs train: the share that is done, and once what takes most of the time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from clbench.engine.lane import LaneRecord

log = logging.getLogger(__name__)

LONG_EVALUATION = 10.0
"""Seconds of evaluation still to come from which on it is reported that evaluation takes most of the time."""

OnProgress = Callable[[float, str], None]


@dataclass
class Progress:
    """The share of all stages that is done.

    Args:
        total: stages of all lanes.
        report: called with the share and a word on what is being trained.
    """

    total: int
    report: OnProgress | None
    done: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def add(self, stages: float, text: str) -> None:
        """Count stages, or parts of them, as done."""
        with self.lock:
            self.done += stages
            if self.report is not None:
                self.report(min(self.done / max(self.total, 1), 1.0), text)


@dataclass
class Attempt:
    """What one attempt at a program adds, to be taken back where it fails."""

    progress: Progress
    done: float = 0.0

    def add(self, stages: float, text: str) -> None:
        """Count stages, or parts of them, as done."""
        self.done += stages
        self.progress.add(stages, text)

    def take_back(self) -> None:
        """Count all of the attempt as not done."""
        self.progress.add(-self.done, "tried again")


class EvaluationWatch:
    """Reports once where evaluation takes most of the time, as it grows with the square of the tasks."""

    def __init__(self) -> None:
        self.has_reported = False

    def look(self, record: LaneRecord) -> None:
        """Look at what a lane of a program took."""
        phase, tasks = record.phase, len(record.phase.stream.tasks)
        to_come = record.lanes * record.evaluating * (tasks - phase.stage - 1)
        if self.has_reported or to_come < LONG_EVALUATION or record.evaluating < record.seconds / 2:
            return
        self.has_reported = True
        log.info(
            "Evaluation takes %.0f %% of the time: each of %d points a stage looks at all %d tasks. To spare "
            "it, set evaluation=final, fewer points, a smaller evaluation.subset, or splits=[test].",
            *(100 * record.evaluating / record.seconds, phase.run.evaluation.points, tasks),
        )
