"""The runs that a claim compares: sets of runs, paired by seed, and what they lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.claim_grammar import Measure
from clbench.analysis.conditions import NotCheckable, at_any_choice, condition_words, matching
from clbench.analysis.frames import by_lambda, column_of, rows_where
from clbench.analysis.lambda_sets import BEST, ONSET
from clbench.analysis.lost import Lost, has_value, lost_seeds, reasons
from clbench.analysis.quantities import Lambda, Mean, Quantity
from clbench.analysis.settings import setting_columns
from clbench.records.columns import higher_is_better


@dataclass(frozen=True)
class RunSet:
    """The runs of one set: one per seed, or one per seed and λ."""

    label: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Measured:
    """What was measured of all sets of a claim.

    Args:
        quantities: one per set, over the same seeds.
        lost: how many seeds were lost and why, empty if none.
        left_out: λ that not every seed finished, and why, empty if none.
    """

    quantities: tuple[Quantity, ...]
    lost: str
    left_out: str


def measure(runs: pd.DataFrame, filters: Sequence[Mapping[str, Any]], what: Measure) -> Measured:
    """Return the quantity of each set of runs, over the seeds that all sets have a value for.

    A seed is lost where one set has runs of it and another no value: it diverged, failed, was never run or
    has no value of the metric.

    Args:
        runs: as in `runs.csv`.
        filters: conditions on columns, one mapping per set (see `matching`).
        what: the quantity.

    Raises:
        NotCheckable: a set is empty or holds more than one run per seed, or no seed is common to all.
    """
    if what.metric not in runs:
        raise NotCheckable(f"the runs have no column {what.metric}")
    sets = [RunSet(condition_words(conditions), _rows(runs, conditions, what)) for conditions in filters]
    wanted = {seed for conditions in filters for seed in at_any_choice(runs, conditions)["seed"]}
    lost = [lost_seeds(item.rows, what.metric, wanted) for item in sets]
    gone = {seed for by_reason in lost for seeds in by_reason.values() for seed in seeds}
    losses = f"{len(gone)} of {len(wanted)} seeds lost: {_by_set(sets, lost)}" if gone else ""
    if not (kept := sorted(wanted - gone)):
        raise NotCheckable(f"the runs compared have no finished seed in common; {losses}")
    if what.find == "mean":
        return Measured(tuple(_mean(item, what, kept) for item in sets), losses, "")
    unfinished = [_unfinished(item, what, kept) for item in sets]
    lams = tuple(_lambda(item, what, kept, left) for item, left in zip(sets, unfinished, strict=True))
    words = [", ".join(f"λ={lam:g} {reasons(left[lam])}" for lam in left) for left in unfinished]
    left_out = [f"{item.label}: {word}" for item, word in zip(sets, words, strict=True) if word]
    return Measured(lams, losses, "; ".join(left_out))


def _by_set(sets: Sequence[RunSet], lost: Sequence[Lost]) -> str:
    """Return what each set lost; of a single set without its name."""
    if len(sets) == 1:
        return reasons(lost[0])
    return "; ".join(f"{item.label} {reasons(part)}" for item, part in zip(sets, lost, strict=True) if part)


def _rows(runs: pd.DataFrame, conditions: Mapping[str, Any], what: Measure) -> pd.DataFrame:
    """Return the runs of a set: one per seed, or one per seed and λ."""
    rows = matching(runs, conditions)
    if not has_value(rows, what.metric).any():
        lost = reasons(lost_seeds(rows, what.metric, rows["seed"]))
        raise NotCheckable(
            f"no finished run has {condition_words(conditions)}" + (f": {lost}" if lost else "")
        )
    keys = ["seed"] if what.find == "mean" else ["seed", "lam"]
    if what.find != "mean":
        rows = rows_where(rows, rows["lam"].notna())
    if rows.duplicated(subset=keys).any():
        differing = [
            name for name in setting_columns(rows) if column_of(rows, name).nunique(dropna=False) > 1
        ]
        by = ", ".join(name for name in differing if name not in keys) or "nothing but their folder"
        raise NotCheckable(f"{condition_words(conditions)} fits several runs per seed, which differ in {by}")
    return rows


def _mean(item: RunSet, what: Measure, seeds: Sequence[int]) -> Mean:
    values = item.rows[has_value(item.rows, what.metric)].set_index("seed")[what.metric]
    return Mean(item.label, values.loc[list(seeds)].to_numpy(np.float64))


def _unfinished(item: RunSet, what: Measure, seeds: Sequence[int]) -> dict[float, Lost]:
    """Return the λ that not every seed finished, each with its lost seeds."""
    found = {lam: lost_seeds(rows, what.metric, seeds) for lam, rows in by_lambda(item.rows).items()}
    return {lam: lost for lam, lost in found.items() if lost}


def _lambda(item: RunSet, what: Measure, seeds: Sequence[int], unfinished: Mapping[float, Lost]) -> Lambda:
    """Return the λ of a set, found on the λ that all seeds finished.

    One that not every seed finished may still be it, and stays in the confidence set; unless the best is
    looked for and it diverged, which is worse than any value.
    """
    label, rows = item.label, item.rows
    grid = rows.pivot(index="seed", columns="lam", values=what.metric).sort_index(axis=1).loc[list(seeds)]
    grid.loc[:, list(unfinished)] = np.nan
    values, lams = grid.to_numpy(np.float64), grid.columns.to_numpy(np.float64)
    if len(lams) - len(unfinished) < 2:
        raise NotCheckable(f"{label} has fewer than 2 λ that all seeds finished")
    if what.find == "onset":
        excess = values - what.bound if what.above else what.bound - values
        return Lambda(label, lams, excess, ONSET, np.zeros(len(lams), dtype=bool))
    own_way = what.maximise == higher_is_better(what.metric)
    worst = [own_way and set(unfinished.get(float(lam), ())) == {"diverged"} for lam in lams]
    return Lambda(label, lams, values if what.maximise else -values, BEST, np.array(worst))
