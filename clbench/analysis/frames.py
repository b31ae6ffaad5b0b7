"""Selections of a DataFrame with their types, which pandas's own signatures leave open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def rows_where(frame: pd.DataFrame, mask: npt.ArrayLike) -> pd.DataFrame:
    """Return the rows at which a mask, in the frame's order, holds."""
    return frame.loc[mask]


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return one column."""
    found: Any = frame[name]
    return found


def columns_of(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return several columns, in the order of their names."""
    found: Any = frame[list(names)]
    return found


def groups(frame: pd.DataFrame, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the values of a column of texts, in the order of their appearance, and the rows of each."""
    for key, rows in frame.groupby(name, sort=False):
        yield str(key), rows


def by_lambda(runs: pd.DataFrame) -> dict[float, pd.DataFrame]:
    """Return the runs at every λ, from the smallest one; those without λ are in none."""
    lams = column_of(runs, "lam")
    return {float(lam): rows_where(runs, lams == lam) for lam in np.unique(lams.dropna())}


def finished(runs: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of numbers, NaN for runs that are not done."""
    return column_of(runs, name).where(column_of(runs, "status") == "done").astype(np.float64)


def done_among(runs: pd.DataFrame) -> int:
    """Return how many runs are done."""
    return sum(status == "done" for status in runs["status"])
