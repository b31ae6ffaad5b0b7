"""How much of the training is done, told while it goes on, attempts that failed taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

OnProgress = Callable[[float, str], None]


@dataclass
class Progress:
    """The share of all stages that is done.

    Args:
        total: stages of all lanes.
        report: told the share and a word on what is being trained.
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
    """What one attempt at a chunk adds, to be taken back where it fails."""

    progress: Progress
    done: float = 0.0

    def add(self, stages: float, text: str) -> None:
        """Count stages, or parts of them, as done."""
        self.done += stages
        self.progress.add(stages, text)

    def take_back(self) -> None:
        """Count all of the attempt as not done."""
        self.progress.add(-self.done, "tried again")
