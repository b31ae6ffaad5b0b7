"""What a run is judged by: its leading score on one split at the end. λ is chosen by it, a tuner gets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clbench.records.columns import Final, oriented


def mean_score(final: np.ndarray, metric: str) -> np.ndarray:
    """Return c = 1/T · Σ_j R[T,j], higher is better: a loss enters with its sign turned.

    Args:
        final: the metric on one split at the end, `[…, tasks]`; NaN for a task without samples in the split,
            which the mean leaves out.
        metric: its name, such as `accuracy` or `loss`.

    Returns:
        `[…]`; NaN where no task has samples.
    """
    values = oriented(final, metric)
    known = ~np.isnan(values)
    counts = known.sum(axis=-1)
    sums = np.where(known, values, 0.0).sum(axis=-1)
    return np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)


def criterion_of(summary: Mapping[str, Any], split: str) -> float | None:
    """Return a run's criterion on a split, from its `summary.json`.

    None for a run that is not done, or that was not evaluated on the split: it has no score, neither a good
    nor a bad one.
    """
    if summary["status"] != "done":
        return None
    metric = summary["metric"]
    final = [summary.get(Final(split, metric, task).column) for task in summary["tasks"]]
    value = float(mean_score(np.array(final, dtype=np.float64), metric))
    return None if np.isnan(value) else value
