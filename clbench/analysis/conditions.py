"""Which runs a claim, or a row of a published table, is about: conditions on settings as in `runs.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.frames import column_of, finished, rows_where
from clbench.analysis.selection import best_lambda, chosen_runs
from clbench.records.columns import sign_of

CHOSEN, ORACLE = "chosen", "oracle"


class NotCheckable(ValueError):
    """A claim that these runs can neither support nor refute; the text says why."""


def matching(runs: pd.DataFrame, conditions: Mapping[str, Any]) -> pd.DataFrame:
    """Return the runs that fulfil all conditions.

    A condition is a value, a list of allowed values, `{min: …, max: …}` (both included), or null for an empty
    cell. `lam: chosen` is each seed's λ, chosen on the validation split of the other seeds; `lam: oracle` the
    λ with the best final ACC on the test split.

    Raises:
        NotCheckable: there is no such column, or λ can't be chosen.
    """
    rows = at_any_choice(runs, conditions)
    if conditions.get("lam") not in (CHOSEN, ORACLE) or rows.empty:
        return rows
    if conditions["lam"] == ORACLE:
        return rows_where(rows, rows["lam"] == best_lambda(rows, sign_of("acc") * finished(rows, "acc")))
    chosen = chosen_runs(rows)
    if chosen.empty:
        raise NotCheckable("λ can't be chosen: it needs 2 seeds, and validation data")
    return chosen


def at_any_choice(runs: pd.DataFrame, conditions: Mapping[str, Any]) -> pd.DataFrame:
    """Return the runs that fulfil all conditions but the choice of λ: those that it is made from.

    Raises:
        NotCheckable: there is no such column.
    """
    rows = runs
    for name, condition in conditions.items():
        if name not in runs:
            raise NotCheckable(f"the runs have no column {name}")
        if not (name == "lam" and condition in (CHOSEN, ORACLE)):
            rows = rows_where(rows, _fulfils(column_of(rows, name), condition))
    return rows


def _fulfils(values: pd.Series, condition: Any) -> pd.Series:
    """Return which values fulfil a condition."""
    if condition is None:
        return values.isna()
    if isinstance(condition, Mapping):
        numbers = pd.Series(pd.to_numeric(values, errors="coerce"))
        return numbers.between(float(condition.get("min", -np.inf)), float(condition.get("max", np.inf)))
    if isinstance(condition, (list, tuple)):
        return pd.concat([_fulfils(values, item) for item in condition], axis=1).any(axis=1)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        try:  # 1e-3 is a text in YAML
            return pd.Series(np.isclose(values, float(condition), rtol=1e-9, atol=0), index=values.index)
        except (TypeError, ValueError):
            return pd.Series(False, index=values.index)
    return values.astype("str") == str(condition)


def condition_words(conditions: Mapping[str, Any]) -> str:
    """Return conditions as words: `l2, lam=0.1`."""
    words = [str(conditions["strategy"])] if isinstance(conditions.get("strategy"), str) else []
    words += [
        f"{name}={condition}" for name, condition in conditions.items() if not (name == "strategy" and words)
    ]
    return ", ".join(words) or "all runs"
