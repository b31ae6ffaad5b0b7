"""The final columns of `runs.csv`, `<split>_<metric>_<task>`: writing, reading, and which way is better.

Splits and metrics are few and known, and none is the beginning of another with `_` after it. So a column has
one reading, whatever a task is called: `val_f1_micro_day_1` is micro F1 of task `day_1` on validation data.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from clbench.config import SPLITS
from clbench.records.declared import METRICS
from clbench.scores import SCORES

COUNTS = ("steps", "samples", "seconds")
"""Columns after the metrics: what a run took."""

COSTS = ("loss", *COUNTS, "penalty", "distance")
"""Columns besides scores and metrics of which less is better."""


@functools.lru_cache
def _grammar(scores: tuple[str, ...]) -> re.Pattern[str]:
    """Return what reads a final column, given the names of all scores."""
    return re.compile(rf"({'|'.join(SPLITS)})_({'|'.join(('loss', *scores))})_(.+)")


class Final(NamedTuple):
    """What a final column holds: the value of a metric on one task's split after the last stage."""

    split: str
    metric: str
    task: str

    @property
    def column(self) -> str:
        """The column's name."""
        return f"{self.split}_{self.metric}_{self.task}"


def read_final(column: str) -> Final | None:
    """Return what a column holds, None if it is no final column."""
    match = _grammar(tuple(SCORES)).fullmatch(str(column))
    return Final(*match.groups()) if match else None


def finals_among(
    columns: Iterable[str], split: str | None = None, metric: str | None = None, task: str | None = None
) -> list[Final]:
    """Return the final columns among some, in their order; of a split, metric or task where it is given."""
    wanted = (split, metric, task)
    return [
        final
        for column in columns
        if (final := read_final(column))
        and all(want is None or part == want for part, want in zip(final, wanted, strict=True))
    ]


def final_columns(tasks: Iterable[str], splits: Iterable[str], scores: Iterable[str]) -> list[Final]:
    """Return every final value that a run has, in the order of `runs.csv`."""
    return [Final(*place) for place in itertools.product(splits, ("loss", *scores), tasks)]


def leading_metric(metrics: Iterable[str]) -> str:
    """Return what the metrics of a stream, or of a sweep, are computed from: its first score that can lead.

    Else it is `loss`, as for a regression.
    """
    return next((name for name in metrics if name in SCORES and SCORES[name].leads), "loss")


def higher_is_better(column: str) -> bool:
    """Return whether more is better in a column of `runs.csv` (`acc`, `test_loss_A`, `val_rmse_3`, …)."""
    final = read_final(column)
    name = final.metric if final else column
    declared = SCORES.get(name) or METRICS.get(name)
    return declared.higher_is_better if declared else name not in COSTS


def sign_of(column: str) -> float:
    """Return what a column's values are multiplied by, so that higher is better: 1 or −1."""
    return 1.0 if higher_is_better(column) else -1.0


def oriented(values: np.ndarray, metric: str) -> np.ndarray:
    """Return values so that higher is better: losses and errors with their sign turned."""
    return np.asarray(values, dtype=np.float64) * sign_of(metric)
