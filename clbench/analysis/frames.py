"""Selections of a DataFrame with their types, which pandas's own signatures leave open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt
import pandas as pd


def rows_where(frame: pd.DataFrame, mask: npt.ArrayLike) -> pd.DataFrame:
    """Return the rows at which a mask, in the frame's order, holds."""
    return frame.loc[mask]


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return one column."""
    found: Any = frame[name]
    return found


def groups(frame: pd.DataFrame, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the values of a column of texts, in the order of their appearance, and the rows of each."""
    for key, rows in frame.groupby(name, sort=False):
        yield str(key), rows
