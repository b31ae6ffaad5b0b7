"""What makes runs comparable: the setting they repeat over seeds, and the context they share."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clbench.analysis.frames import columns_of
from clbench.records.columns import finals_among, leading_metric


def varying_columns(runs: pd.DataFrame) -> list[str]:
    """Return the configuration values that vary: the columns of `runs.csv` between `stream` and `status`."""
    names = list(runs.columns)
    return names[names.index("stream") + 1 : names.index("status")]


def context_columns(runs: pd.DataFrame) -> list[str]:
    """Return what runs share that may be compared: the stream and all that varies but the strategy's own."""
    names = [name for name in varying_columns(runs) if not name.startswith("strategy.")]
    return ["stream", *(name for name in names if not _follows(runs, name))]


def strategy_columns(runs: pd.DataFrame) -> list[str]:
    """Return what names a strategy with its hyperparameters: `strategy`, `lam`, `strategy.…` that vary."""
    names = [name for name in varying_columns(runs) if name.startswith("strategy.")]
    return ["strategy", "lam", *(name for name in names if not _follows(runs, name))]


def _follows(runs: pd.DataFrame, name: str) -> bool:
    """Return whether a value follows from its part's name: `optimizer.lr` where each optimiser has one."""
    part, dot, _ = name.partition(".")
    if not dot or part not in runs:
        return False
    return bool((runs.groupby(part)[name].nunique(dropna=False) <= 1).all())


def setting_columns(runs: pd.DataFrame) -> list[str]:
    """Return what runs share that differ in their seed only."""
    return [*context_columns(runs), *strategy_columns(runs)]


def group_by(runs: pd.DataFrame, columns: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Return the groups of equal values in some columns, in order of appearance; empty equals empty."""
    if not columns:
        return [({}, runs)]
    keys: Any = runs.groupby(columns, sort=False, dropna=False)
    return [(dict(zip(columns, key, strict=True)), rows) for key, rows in keys]


def final_scores(runs: pd.DataFrame, split: str, metric: str) -> pd.DataFrame:
    """Return the columns `<split>_<metric>_<task>`, one per task."""
    return columns_of(runs, [final.column for final in finals_among(runs.columns, split, metric)])


def final_means(runs: pd.DataFrame, split: str, metric: str) -> pd.Series:
    """Return every run's mean over tasks of the final `<split>_<metric>_<task>`, NaN where there is none."""
    return final_scores(runs, split, metric).mean(axis=1)


def leading_metric_of(runs: pd.DataFrame) -> str:
    """Return what a sweep's metrics were computed from: the first score that can lead, else `loss`."""
    return leading_metric(final.metric for final in finals_among(runs.columns, "test"))
