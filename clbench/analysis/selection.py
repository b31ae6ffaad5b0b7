"""An honest choice of λ, nested: for every seed on the validation scores of all other seeds.

So every seed reports its own test result at a λ that neither its own scores nor any test result took part in
choosing. Seeds may choose differently; the spread of the choice is then in the interval.

What is left: each seed takes part in the choices of the others, so their results are not quite independent.
Where all λ are equally good, and half of the noise of a run's validation score (its variance over runs) is in
its test score too, a difference of nothing is taken for one at .05 in 6, 8 and 10 % of cases for 5, 10 and 20
seeds (4 λ; `tests/simulated_coverage.py`). Where they share no noise, or one λ is clearly the best so that
seeds agree, it is 5 %.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from clbench.analysis.frames import column_of, columns_of, finished, rows_where
from clbench.analysis.settings import (
    context_columns,
    final_scores,
    group_by,
    leading_metric_of,
    strategy_columns,
)
from clbench.analysis.statistics import estimate
from clbench.errors import ConfigurationError
from clbench.records.columns import sign_of
from clbench.records.criterion import mean_score


def criterion(runs: pd.DataFrame, split: str = "val") -> pd.Series:
    """Return every run's final leading metric, mean over tasks, higher is better; NaN if not done."""
    metric = leading_metric_of(runs)
    final = final_scores(runs, split, metric).to_numpy(np.float64)
    return pd.Series(mean_score(final, metric), index=runs.index).where(runs["status"] == "done")


def best_lambda(runs: pd.DataFrame, values: pd.Series) -> float:
    """Return the λ with the highest mean value over its seeds, NaN where there is none.

    A λ with a run that has no value (a diverged one) is out: its mean over the surviving seeds would flatter
    it. Where every λ has one, those with the fewest stay. Of equal means the smaller λ wins, which constrains
    less.

    Args:
        runs: runs that differ in `lam` and `seed`.
        values: per run, higher is better.
    """
    _, lams, ran, scores = _by_seed(runs, values)
    return _best(lams, ran, scores)


def nested_lambdas(runs: pd.DataFrame, values: pd.Series) -> dict[int, float]:
    """Return for every seed the λ that is best on the other seeds (see `best_lambda`).

    Only a λ that the seed itself was run at can be its own. A single λ is every seed's: nothing is chosen
    then. NaN for a seed that none can be chosen for. Arguments as there.
    """
    seeds, lams, ran, scores = _by_seed(runs, values)
    if len(lams) == 1:
        return dict.fromkeys(map(int, seeds), float(lams[0]))
    chosen = {}
    for place, seed in enumerate(seeds):
        others = np.arange(len(seeds)) != place
        chosen[int(seed)] = _best(lams[ran[place]], ran[others][:, ran[place]], scores[others][:, ran[place]])
    return chosen


def _by_seed(runs: pd.DataFrame, values: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the seeds, the λ from the smallest, and `[seed, λ]`: whether there is a run, and its value."""
    seeds, row = np.unique(runs["seed"], return_inverse=True)
    lams, column = np.unique(runs["lam"], return_inverse=True)
    ran, scores = np.zeros((len(seeds), len(lams)), dtype=bool), np.full((len(seeds), len(lams)), np.nan)
    ran[row, column], scores[row, column] = True, values
    return seeds, lams, ran, scores


def _best(lams: np.ndarray, ran: np.ndarray, scores: np.ndarray) -> float:
    """Return the first λ with the highest mean among those with the fewest lost runs; NaN without a value."""
    known = np.isfinite(scores)
    lost, count = (ran & ~known).sum(axis=0), known.sum(axis=0)
    if not count.any():
        return float("nan")
    means = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(count, 1)
    stays = (count > 0) & (lost == lost[count > 0].min())
    return float(lams[np.where(stays, means, -np.inf).argmax()])


def chosen_runs(runs: pd.DataFrame, split: str = "val") -> pd.DataFrame:
    """Return the runs that an honest choice of λ reports: of every seed the one at its own λ.

    Each strategy (with its other hyperparameters) chooses for itself in each context. Runs without λ, or of a
    strategy with a single one, are all returned. A seed that no λ can be chosen for has no run here.

    Args:
        runs: as in `runs.csv`.
        split: whose scores choose.
    """
    values = criterion(runs, split)
    kept = column_of(runs, "lam").isna()
    for _, group in group_by(rows_where(runs, ~kept), _columns(runs)):
        own = nested_lambdas(group, values.loc[group.index])
        kept[group.index] = group["lam"] == [own[int(seed)] for seed in group["seed"]]
    return rows_where(runs, kept)


def choice_of(chosen: pd.DataFrame) -> tuple[float, str]:
    """Return the λ that most seeds chose, the smallest of equals, and all in words.

    Args:
        chosen: one strategy's rows of `chosen_runs`.

    Returns:
        NaN and nothing without a choice; `0.1` if all agree, else `0.1 (8 of 10), 1 (2 of 10)`.
    """
    counts = Counter(np.sort(column_of(chosen, "lam").dropna())).most_common()
    if len(counts) < 2:
        return (counts[0][0], f"{counts[0][0]:g}") if counts else (float("nan"), "")
    return counts[0][0], ", ".join(f"{lam:g} ({count} of {len(chosen)})" for lam, count in counts)


def choose_lambda(runs: pd.DataFrame, metric: str = "acc") -> pd.DataFrame:
    """Return what each strategy reaches at the λ chosen on validation data, and at the oracle's.

    λ is chosen for each seed on the validation scores of the others (see `chosen_runs`); every seed then
    gives its test result at its λ. The *oracle* λ is the best on just those test results: nobody could have
    chosen it, and the distance to it is the price of not knowing.

    Args:
        runs: as in `runs.csv`.
        metric: a column of `runs.csv` that is reported.

    Returns:
        one row per context and strategy (with its other hyperparameters): `lam` (what most seeds chose),
        `choices` (all, with counts; empty where there was nothing to choose), `low, high, point, n, lost`,
        `oracle_lam, oracle_low, oracle_high, oracle, oracle_n`. `lost` are seeds that diverged or failed at
        their λ, or that none could be chosen for. Without several λ there is no oracle.

    Raises:
        ConfigurationError: no strategy has several λ and several seeds, or there is no validation split.
    """
    _check(runs)
    scores, kept, rows, reported, best = finished(runs, metric), chosen_runs(runs), [], [], []
    for shared, group in group_by(runs, _columns(runs)):
        own, lams = rows_where(kept, kept.index.isin(group.index)), column_of(group, "lam")
        several = lams.nunique() > 1
        lam, choices = choice_of(own) if several else (lams.iloc[0], "")
        oracle = best_lambda(group, sign_of(metric) * scores.loc[group.index]) if several else float("nan")
        reported.append(scores.loc[own.index].dropna().to_numpy())
        best.append(scores.loc[group.index[lams.to_numpy() == oracle]].dropna().to_numpy())
        lost = column_of(group, "seed").nunique() - len(reported[-1])
        rows.append(shared | {"lam": lam, "choices": choices, "lost": lost, "oracle_lam": oracle})
    table = pd.DataFrame(rows)
    table[["low", "high", "point"]], table["n"] = estimate(reported), [len(group) for group in reported]
    table[["oracle_low", "oracle_high", "oracle"]] = estimate(best)
    table["oracle_n"] = [len(group) for group in best]
    names = ["lam", "choices", "low", "high", "point", "n", "lost"]
    oracles = ["oracle_lam", "oracle_low", "oracle_high", "oracle", "oracle_n"]
    return columns_of(table, [*_columns(runs), *names, *oracles])


def _columns(runs: pd.DataFrame) -> list[str]:
    """Return the columns that distinguish those who choose a λ: the context and the strategy, but λ."""
    return [*context_columns(runs), *(name for name in strategy_columns(runs) if name != "lam")]


def _check(runs: pd.DataFrame) -> None:
    """Raise where an honest choice is not possible."""
    problems = []
    several = [
        group
        for _, group in group_by(rows_where(runs, runs["lam"].notna()), _columns(runs))
        if column_of(group, "lam").nunique() > 1 and column_of(group, "seed").nunique() > 1
    ]
    if not several:
        problems.append(
            "A choice of λ needs a strategy with at least 2 λ and 2 seeds; got "
            f"λ {sorted(set(runs['lam'].dropna()))} and seeds {sorted(set(runs['seed']))}. Run more of them."
        )
    if criterion(runs).isna().all():
        problems.append(
            "An honest choice needs the validation split; got runs without finite val_ columns. "
            "Evaluate val (evaluation.splits) and give the stream validation data."
        )
    if problems:
        raise ConfigurationError(*problems)
