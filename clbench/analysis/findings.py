"""What a diagnosis is, and how it calls the runs it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clbench.analysis.frames import rows_where
from clbench.analysis.settings import context_columns, strategy_columns


@dataclass(frozen=True)
class Finding:
    """One diagnosis.

    Args:
        kind: which rule found it.
        text: cause and what to try, in one line.
        runs: the runs concerned, as in `runs.csv`.
    """

    kind: str
    text: str
    runs: tuple[str, ...]


def done(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that ended well."""
    return rows_where(runs, runs["status"] == "done")


def without_lambda(runs: pd.DataFrame) -> list[str]:
    """Return what runs share that differ in λ and seed only."""
    return [*context_columns(runs), *(name for name in strategy_columns(runs) if name != "lam")]


def listed(values: Sequence[float]) -> str:
    """Return a few numbers in a row, the middle of many left out."""
    words = [f"{value:g}" for value in values]
    return ", ".join(words if len(words) <= 6 else [*words[:2], "…", words[-1]])


def name_of(shared: Mapping[str, Any]) -> str:
    """Return how a setting is called in a line: the strategy, then what varies."""
    words = [str(shared["strategy"])]
    for name, value in shared.items():
        if name in ("strategy", "stream") or value is None or value != value:
            continue
        words.append(
            f"{'λ' if name == 'lam' else name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        )
    return words[0] + (f" ({', '.join(words[1:])})" if words[1:] else "")
