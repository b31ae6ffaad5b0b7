"""Metrics from files alone: what `losses.csv` says, through the functions that made the summaries."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clbench.analysis.frames import columns_of, rows_where
from clbench.records.columns import leading_metric, oriented
from clbench.records.metrics import all_metrics

PLACE = ("run", "strategy", "lam", "seed", "step", "stage", "task", "split")


def score_names(losses: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the scores in a frame of losses."""
    return tuple(name for name in losses.columns if name not in (*PLACE, "loss"))


def score_curve(losses: pd.DataFrame, metric: str, split: str = "test") -> pd.DataFrame:
    """Return one run's values of a metric: index (stage, step), a column per task in the stream's order."""
    rows = rows_where(losses, losses["split"] == split)
    curve = rows.pivot(index=["stage", "step"], columns="task", values=metric)
    return columns_of(curve, list(dict.fromkeys(rows["task"])))


def score_matrix(losses: pd.DataFrame, metric: str | None = None, split: str = "test") -> pd.DataFrame:
    """Return one run's R: index stage, a column per task, the value at the end of every stage.

    Args:
        losses: the rows of one run.
        metric: `loss` or a score; the leading one by default. The values are as recorded, not oriented.
        split: `train`, `val` or `test`.
    """
    curve = score_curve(losses, metric or leading_metric(score_names(losses)), split)
    return curve.groupby(level="stage").tail(1).droplevel("step")


def run_metrics(
    losses: pd.DataFrame, metric: str | None = None, subset: pd.DataFrame | None = None
) -> dict[str, float]:
    """Return all metrics of one finished run by name (see `clbench.records.metrics`), in another metric's
    units where one is given: `loss` for a classification, say.

    Args:
        losses: the rows of one run.
        metric: `loss` or a score; the leading one by default.
        subset: the rows of its `subset.csv`; None where it has none, since subsets are the whole splits.
    """
    metric = metric or leading_metric(score_names(losses))
    curve = score_curve(losses, metric)
    stage = curve.index.get_level_values("stage").to_numpy()
    step = curve.index.get_level_values("step").to_numpy()
    full = np.append(stage[1:] != stage[:-1], True) | (step == 0)
    ends = None if subset is None else oriented(score_curve(subset, metric).to_numpy(), metric)
    return all_metrics(oriented(curve.to_numpy(), metric), step, stage, full, ends)[0]
