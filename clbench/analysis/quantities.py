"""What a claim is about: a number per set of runs, over paired resamples of their seeds.

A quantity is the mean of a metric, the λ at which that mean is best, or the λ from which it is beyond a
bound. All quantities of one claim are computed on the same resamples of the seeds that all of them have, so
their difference and ratio are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.selection import best_lambda, chosen_runs
from clbench.analysis.settings import setting_columns
from clbench.analysis.statistics import resampled_means
from clbench.records.columns import higher_is_better

CHOSEN, ORACLE = "chosen", "oracle"


class NotCheckable(ValueError):
    """A claim that these runs can neither support nor refute; the text says why."""


@dataclass(frozen=True)
class Measure:
    """What is computed of a set of runs.

    Args:
        metric: a column of the runs.
        find: `mean`, `best` (the λ of the best mean) or `onset` (the smallest λ with a mean beyond `bound`).
        bound: for `onset`.
        above: for `onset`, whether beyond is above `bound` or below.
        maximise: for `best`.
    """

    metric: str
    find: str = "mean"
    bound: float = 0.0
    above: bool = False
    maximise: bool = True

    def of(self, means: np.ndarray, lams: np.ndarray) -> np.ndarray:
        """Return the quantity of mean curves.

        Args:
            means: `[curves, λ]`; one column for `mean`.
            lams: the λ of the columns, increasing; NaN for runs without.

        Returns:
            `[curves]`; infinite where an onset is never reached.
        """
        if self.find == "mean":
            return means[:, 0]
        if self.find == "best":
            return lams[np.argmax(means if self.maximise else -means, axis=1)]
        beyond = means > self.bound if self.above else means < self.bound
        return np.where(beyond.any(axis=1), lams[beyond.argmax(axis=1)], np.inf)


@dataclass(frozen=True)
class Quantity:
    """A measured quantity.

    Args:
        label: which runs it is about.
        point: over all seeds.
        resampled: over resamples of the seeds, `[resamples]`.
        by_seed: of every seed alone, `[seeds]`.
    """

    label: str
    point: float
    resampled: np.ndarray
    by_seed: np.ndarray

    def numbers(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Return point, resamples and seeds."""
        return self.point, self.resampled, self.by_seed


def measure(
    runs: pd.DataFrame, filters: Sequence[Mapping[str, Any]], what: Measure, seed: int = 0
) -> list[Quantity]:
    """Return the quantity of each set of runs, over the seeds that all sets have.

    Args:
        runs: as in `runs.csv`.
        filters: conditions on columns, one mapping per set (see `matching`).
        what: the quantity.
        seed: of the resampling.

    Raises:
        NotCheckable: a set is empty or holds more than one run per seed, or no seed is common to all.
    """
    if what.metric not in runs:
        raise NotCheckable(f"the runs have no column {what.metric}")
    tables = [_table(runs, conditions, what) for conditions in filters]
    seeds = sorted(set.intersection(*(set(table.index) for table in tables)))
    if not seeds:
        raise NotCheckable("the runs compared have no finished seed in common")
    found = []
    for conditions, table in zip(filters, tables, strict=True):
        values, lams = table.loc[seeds].to_numpy(np.float64), table.columns.to_numpy(np.float64)
        found.append(
            Quantity(
                label=describe(conditions),
                point=float(what.of(values.mean(axis=0, keepdims=True), lams)[0]),
                resampled=what.of(resampled_means(values.T, np.random.default_rng(seed)).T, lams),
                by_seed=what.of(values, lams),
            )
        )
    return found


def _table(runs: pd.DataFrame, conditions: Mapping[str, Any], what: Measure) -> pd.DataFrame:
    """Return the metric of the runs that match, a row per seed; a column per λ, or one for a mean."""
    rows = matching(runs, conditions)
    rows = rows[np.isfinite(rows[what.metric].astype(float)) & (rows["status"] == "done")]
    if rows.empty:
        raise NotCheckable(f"no finished run has {describe(conditions)}")
    keys = ["seed"] if what.find == "mean" else ["seed", "lam"]
    if rows.duplicated(keys).any():
        differing = [name for name in setting_columns(rows) if rows[name].nunique(dropna=False) > 1]
        by = ", ".join(name for name in differing if name not in keys) or "nothing but their folder"
        raise NotCheckable(f"{describe(conditions)} fits several runs per seed, which differ in {by}")
    if what.find == "mean":
        return rows.set_index("seed")[[what.metric]].set_axis([np.nan], axis=1)
    table = rows.pivot(index="seed", columns="lam", values=what.metric).sort_index(axis=1)
    table = table.loc[:, table.columns.notna()].dropna(axis=1)  # a λ at which a seed diverged is out
    if table.shape[1] < 2:
        raise NotCheckable(f"{describe(conditions)} has fewer than 2 λ that all seeds finished")
    return table


def matching(runs: pd.DataFrame, conditions: Mapping[str, Any]) -> pd.DataFrame:
    """Return the runs that fulfil all conditions.

    A condition is a value, a list of allowed values, `{min: …, max: …}` (both included), or null for an empty
    cell. `lam: chosen` is each seed's λ, chosen on the validation split of the other seeds; `lam: oracle` the
    λ with the best final ACC on the test split.

    Raises:
        NotCheckable: there is no such column, or λ can't be chosen.
    """
    rows = runs
    for name, condition in conditions.items():
        if name not in runs:
            raise NotCheckable(f"the runs have no column {name}")
        if not (name == "lam" and condition in (CHOSEN, ORACLE)):
            rows = rows[_fulfils(rows[name], condition)]
    if conditions.get("lam") not in (CHOSEN, ORACLE) or rows.empty:
        return rows
    if conditions["lam"] == ORACLE:
        better = 1.0 if higher_is_better("acc") else -1.0
        return rows[rows["lam"] == best_lambda(rows, (better * rows["acc"]).where(rows["status"] == "done"))]
    rows = chosen_runs(rows)
    if rows.empty:
        raise NotCheckable("λ can't be chosen: it needs 2 seeds, and validation data")
    return rows


def _fulfils(values: pd.Series, condition: Any) -> pd.Series:
    """Return which values fulfil a condition."""
    if condition is None:
        return values.isna()
    if isinstance(condition, Mapping):
        numbers = pd.to_numeric(values, errors="coerce")
        low, high = float(condition.get("min", -np.inf)), float(condition.get("max", np.inf))
        return (numbers >= low) & (numbers <= high)
    if isinstance(condition, (list, tuple)):
        return pd.concat([_fulfils(values, item) for item in condition], axis=1).any(axis=1)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        try:  # 1e-3 is a text in YAML
            return pd.Series(np.isclose(values, float(condition), rtol=1e-9, atol=0), index=values.index)
        except (TypeError, ValueError):
            return pd.Series(False, index=values.index)
    return values.astype("str") == str(condition)


def describe(conditions: Mapping[str, Any]) -> str:
    """Return conditions as words: `l2, lam=0.1`."""
    words = [str(conditions["strategy"])] if isinstance(conditions.get("strategy"), str) else []
    words += [
        f"{name}={condition}" for name, condition in conditions.items() if not (name == "strategy" and words)
    ]
    return ", ".join(words) or "all runs"
