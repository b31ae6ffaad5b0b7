"""Strategies against each other, paired by seed, with the family that a p-value is corrected for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.conditions import NotCheckable, condition_words, matching
from clbench.analysis.frames import column_of, columns_of, done_among, finished, rows_where
from clbench.analysis.selection import choice_of, chosen_runs
from clbench.analysis.settings import context_columns, group_by, strategy_columns
from clbench.analysis.statistics import estimate, holm, iqm, least_p, mean, sign_flip_p
from clbench.errors import ConfigurationError, known
from clbench.records.roles import NAIVE

Baseline = str | Mapping[str, Any]
"""A strategy or a role, or the conditions of a setting: `"naive"`, `{"strategy": "l2", "lam": 1}`."""


@dataclass(frozen=True)
class _Setting:
    """A row of the comparison.

    Args:
        names: the columns that name it.
        runs: one per seed.
        lost: seeds that diverged or failed.
        in_family: whether its p is corrected; it is exploratory otherwise.
    """

    names: dict[str, Any]
    runs: pd.DataFrame
    lost: int
    in_family: bool


def compare_runs(
    runs: pd.DataFrame, baseline: Baseline = NAIVE, metric: str | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return, per setting, mean and IQM over seeds and the paired difference from a baseline.

    A setting is a strategy with its hyperparameters within a context (stream, model, …). A strategy that was
    run at several λ also has a row at its chosen λ: each seed at the λ that the validation scores of the
    other seeds choose (see `chosen_runs`). A setting is compared with the baseline's run of the same seed in
    the same context; mean, IQM and difference of a row are over just the seeds that both have.

    **Families.** Holm's correction is over one family: the strategies, at their chosen λ, within one context.
    Rows at a fixed λ beside a chosen one are exploratory and have no corrected p. Where no λ can be chosen (a
    single seed, no validation split) any may be picked by eye, so the rows at every λ are members.

    Args:
        runs: as in `runs.csv`.
        baseline: a strategy, at its chosen λ if it has several, by its name, or by its role where none is
            called so; or the conditions of one setting, as in claims. A condition on the context,
            `{"strategy": "naive", "model.hidden": 64}`, makes that context's runs the baseline of all others
            too.
        metric: a numeric column of `runs.csv`; `acc` by default.
        seed: of the sign patterns, where more than 12 pairs have them drawn.

    Returns:
        per setting: the context, `strategy`, `lam`, …, `choices` (how often each λ was chosen, `lam` being
        the most frequent; empty where λ is fixed), `metric`, `mean_low, mean_high, mean, iqm_low, iqm_high,
        iqm`, `n` (seeds with a value), `lost` (diverged or failed ones), `difference_low, difference_high,
        difference, pairs, p`, `family` (how many tests the row's family has, 0 for a row in none), `p_holm`,
        and `least_p`, below which no p_holm can lie with so many pairs and tests. Difference = mean over
        pairs of (setting − baseline); empty for the baseline itself.

    Raises:
        ConfigurationError: no such column, strategy or setting, or the baseline has several runs per seed.
    """
    metric = metric or "acc"
    conditions = _conditions(runs, baseline)
    _check(runs, conditions, metric)
    context, strategy = context_columns(runs), strategy_columns(runs)
    reference, chosen = _reference(runs, conditions).index, chosen_runs(runs).index
    runs = columns_of(runs, list(dict.fromkeys([*context, *strategy, "seed", "status", metric])))
    runs = runs.assign(**{metric: finished(runs, metric)})
    reference, tables = runs.loc[reference], []
    for shared, members in group_by(runs, context):
        beside = _fitting(reference, {name: shared[name] for name in shared if name not in conditions})
        settings = list(_settings(shared, members, chosen, strategy))
        tables.append(_family(settings, beside, metric, seed))
    return pd.concat(tables, ignore_index=True)


def _conditions(runs: pd.DataFrame, baseline: Baseline) -> dict[str, Any]:
    """Return which runs a baseline means."""
    if not isinstance(baseline, str):
        return dict(baseline)
    is_role = baseline not in set(runs["strategy"]) and baseline in set(runs["role"])
    return {"role" if is_role else "strategy": baseline}


def _settings(
    shared: dict[str, Any], members: pd.DataFrame, chosen: pd.Index, naming: list[str]
) -> Iterator[_Setting]:
    """Yield the settings of one context; that of a strategy's chosen λ before those of each λ.

    Args:
        shared: the context.
        members: runs of the context.
        chosen: index of all runs at chosen λ.
        naming: the columns that name a strategy with its hyperparameters.
    """
    for own, group in group_by(members, [name for name in naming if name != "lam"]):
        several = column_of(group, "lam").nunique() > 1
        kept = rows_where(group, group.index.isin(chosen) & several)
        if len(kept):
            lam, choices = choice_of(kept)
            names = shared | dict.fromkeys(naming) | own | {"lam": lam, "choices": choices}
            yield _Setting(names, kept, column_of(group, "seed").nunique() - done_among(kept), in_family=True)
        for fixed, rows in group_by(group, ["lam"]):
            names = shared | dict.fromkeys(naming) | own | fixed | {"choices": ""}
            yield _Setting(names, rows, len(rows) - done_among(rows), in_family=kept.empty)


def _family(settings: list[_Setting], reference: pd.DataFrame, metric: str, seed: int) -> pd.DataFrame:
    """Return the table of one context (see `compare_runs`)."""
    pairs = [_paired(setting.runs, reference, metric) for setting in settings]
    own = [setting.runs[metric].to_numpy() for setting in settings]
    shown = [found if len(part) == 0 else part[:, 0] for found, part in zip(own, pairs, strict=True)]
    differences = [part[:, 0] - part[:, 1] for part in pairs]
    table = pd.DataFrame([setting.names | {"metric": metric} for setting in settings])
    for name, statistic in (("mean", mean), ("iqm", iqm)):
        table[[f"{name}_low", f"{name}_high", name]] = estimate(shown, statistic)
    table["n"] = [int(np.isfinite(found).sum()) for found in own]
    table["lost"] = [setting.lost for setting in settings]
    table[["difference_low", "difference_high", "difference"]] = estimate(differences)
    table["pairs"] = [len(group) for group in differences]
    table["p"] = [float(sign_flip_p(group, np.random.default_rng(seed))) for group in differences]
    tested = np.array([setting.in_family for setting in settings]) & table["p"].notna()
    table["family"] = np.where(tested, tested.sum(), 0)
    table["p_holm"] = holm(table["p"].where(tested).to_numpy())
    table["least_p"] = [least_p(*row) for row in zip(table["pairs"], table["family"], strict=True)]
    return table


def _paired(runs: pd.DataFrame, reference: pd.DataFrame, metric: str) -> np.ndarray:
    """Return `[pair, (own, baseline)]` by seed, where both have a value; none for the baseline itself."""
    if set(runs.index) == set(reference.index):
        return np.empty((0, 2))
    _, own, baseline = np.intersect1d(runs["seed"], reference["seed"], return_indices=True)
    pairs = np.stack([runs[metric].to_numpy()[own], reference[metric].to_numpy()[baseline]], axis=1)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _reference(runs: pd.DataFrame, conditions: dict[str, Any]) -> pd.DataFrame:
    """Return the baseline's runs: those at its chosen λ, unless a λ is asked for or none can be chosen."""
    rows = matching(runs, conditions)
    chosen = rows if "lam" in conditions else chosen_runs(rows)
    return rows if chosen.empty else chosen


def _fitting(runs: pd.DataFrame, names: dict[str, Any]) -> pd.DataFrame:
    """Return the runs with given values; an empty cell fits an empty one."""
    fits = pd.Series(True, index=runs.index)
    for name, value in names.items():
        fits &= runs[name].isna() if pd.isna(value) else runs[name] == value
    return rows_where(runs, fits)


def _check(runs: pd.DataFrame, conditions: dict[str, Any], metric: str) -> None:
    """Raise for what can't be compared."""
    problems = []
    numeric = [name for name in runs.columns if pd.api.types.is_numeric_dtype(runs[name])]
    if metric not in numeric:
        problems.append(
            f"A metric must be a numeric column of runs.csv; got metric={metric}. {known(numeric)}"
        )
    asked = condition_words(conditions).replace(", ", ",")
    try:
        base = _reference(runs, conditions)
    except NotCheckable as error:
        problems.append(f"A baseline must be a setting of the sweep; got baseline={asked}: {error}.")
    else:
        within = [name for name in context_columns(runs) if name not in conditions]
        if base.empty:
            settings = known(set(runs["strategy"]))
            problems.append(f"A baseline must be a setting of the sweep; got baseline={asked}. {settings}")
        elif base.duplicated([*within, "seed"]).any():
            several = [
                name for name in strategy_columns(base) if column_of(base, name).nunique(dropna=False) > 1
            ]
            problems.append(
                f"A baseline must have one run per seed; got baseline={asked}, whose runs differ in "
                f"{', '.join(several) or 'their folder alone'}. Name one setting, as in strategy=l2,lam=1."
            )
    if problems:
        raise ConfigurationError(*problems)
