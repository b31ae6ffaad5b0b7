"""The final columns of `runs.csv`, `<split>_<metric>_<task>`: writing, reading, and which way is better.

Splits and metrics are few and known, and none is the beginning of another with `_` after it. So a column has
one reading, whatever a task is called: `val_f1_micro_day_1` is micro F1 of task `day_1` on validation data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from clbench.config import SPLITS

SCORES = {"accuracy": True, "f1_micro": True, "f1_macro": True, "rmse": False, "r2": True}
"""Every score that a stream may have, and whether more of it is better."""

LEADING = ("accuracy", "f1_micro", "f1_macro")
"""Scores that lead the metrics of a stream; any other stream (regression) is measured by its loss."""

LOWER_IS_BETTER = ("forgetting", "intransigence", "gap_depth", "gap_recovery", "loss", "steps", "samples")
LOWER_IS_BETTER += ("seconds", "penalty", "distance")

_FINAL = re.compile(rf"({'|'.join(SPLITS)})_({'|'.join(('loss', *SCORES))})_(.+)")


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
    match = _FINAL.fullmatch(str(column))
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


def leading_metric(scores: Iterable[str]) -> str:
    """Return what a stream's metrics are computed from: its first score if that is one, else `loss`."""
    first = next(iter(scores), None)
    return first if first in LEADING else "loss"


def higher_is_better(column: str) -> bool:
    """Tell whether more is better in a column of `runs.csv` (`acc`, `test_loss_A`, `val_rmse_3`, …)."""
    final = read_final(column)
    name = final.metric if final else column
    return SCORES.get(name, name not in LOWER_IS_BETTER)


def oriented(values: np.ndarray, metric: str) -> np.ndarray:
    """Return values so that higher is better: losses and errors with their sign turned."""
    return np.asarray(values, dtype=np.float64) * (1.0 if higher_is_better(metric) else -1.0)
