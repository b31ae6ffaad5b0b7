"""Faults that a comparison of runs shows: λ or seed without effect, a grid too short, divergence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.findings import Finding, done, listed, name_of, without_lambda
from clbench.analysis.frames import by_lambda, column_of, columns_of, rows_where
from clbench.analysis.selection import criterion
from clbench.analysis.settings import final_means, group_by, setting_columns
from clbench.analysis.statistics import estimate
from clbench.analysis.tables import short
from clbench.records.columns import finals_among

ABOVE = 1.2
"""Train loss over test loss from which a person would ask why. Fewer or noisier test samples explain less."""


def diverged(runs: pd.DataFrame) -> list[Finding]:
    """Find settings in which runs diverged, and say after which step."""
    found = []
    for shared, rows in group_by(runs, setting_columns(runs)):
        lost = rows_where(rows, rows["status"] == "diverged")
        if "diverged_after" in lost:
            unfit = rows_where(lost, lost["diverged_after"].isna())
            found += _not_finite_at_first(shared, len(rows), unfit)
            lost = lost.drop(unfit.index)
        if lost.empty:
            continue
        when = ""
        if "diverged_after" in lost:
            steps = sorted({int(step) for step in lost["diverged_after"]})
            when = f" after step {steps[0]}" + (
                f" (the last one after step {steps[-1]})" if steps[1:] else ""
            )
        smaller = "a smaller learning rate (optimizer.lr)"
        if shared["lam"] == shared["lam"] and shared["lam"]:
            smaller += " or a smaller λ: plain SGD needs lr · λ · (curvature of the penalty) below 2"
        text = f"{name_of(shared)}: {len(lost)} of {len(rows)} runs diverged{when}. Try {smaller}."
        found.append(Finding("diverged", text, tuple(lost["run"])))
    return found


def _not_finite_at_first(shared: Mapping[str, Any], count: int, lost: pd.DataFrame) -> list[Finding]:
    """Return what to say of runs whose loss was never finite, which no learning rate and no λ explains."""
    if lost.empty:
        return []
    text = (
        f"{name_of(shared)}: the loss of {len(lost)} of {count} runs was not finite at step 0, before any "
        "training. Look at the size of the inputs and targets, and at the model's initialisation."
    )
    return [Finding("never_finite", text, tuple(lost["run"]))]


def lambda_without_effect(runs: pd.DataFrame) -> list[Finding]:
    """Find different λ whose runs end with equal losses on every task and split, seed by seed."""
    found = []
    for shared, rows in group_by(done(runs), without_lambda(runs)):
        finals = {
            lam: columns_of(group.drop_duplicates("seed", keep="last").set_index("seed"), _finals(runs))
            for lam, group in by_lambda(rows).items()
        }
        for lams in _chains(finals):
            concerned = tuple(rows.loc[rows["lam"].isin(lams), "run"])
            text = (
                f"{name_of(shared)}: λ has no effect, the runs with λ = {listed(lams)} have equal records. "
                "The penalty's gradient is lost below float32's resolution or λ doesn't reach the penalty. "
                "Try λ some decades larger, and look at penalty_grad_norm in training.csv."
            )
            found.append(Finding("lambda_without_effect", text, concerned))
    return found


def seed_without_effect(runs: pd.DataFrame) -> list[Finding]:
    """Find runs of one setting that end with equal losses though their seeds differ."""
    found = []
    for shared, rows in group_by(done(runs), setting_columns(runs)):
        keys = rows[_finals(runs)].fillna(np.inf).apply(tuple, axis=1)  # empty equals empty
        for _, same in rows.groupby(keys):
            seeds = sorted(set(same["seed"]))
            if len(seeds) < 2:
                continue
            text = (
                f"{name_of(shared)}: the seed has no effect, the runs with seed = {listed(seeds)} have "
                "equal records, so n is smaller than it looks. Draw all randomness of a part of your own "
                "from the generator or the seed it is given."
            )
            found.append(Finding("seed_without_effect", text, tuple(same["run"])))
    return found


def best_lambda_at_edge(runs: pd.DataFrame) -> list[Finding]:
    """Find grids of at least 3 λ whose best λ is the first or the last, on validation data if there are any.

    Silent where the neighbour is as good (the interval of the paired difference holds 0): a plateau has no
    best λ beyond it.
    """
    found = []
    values = criterion(runs)
    judged = runs.assign(_value=criterion(runs, "test") if values.isna().all() else values)
    for shared, rows in group_by(rows_where(judged, runs["lam"].notna()), without_lambda(runs)):
        table = rows.pivot_table(index="seed", columns="lam", values="_value", aggfunc="last")
        means = table.mean(axis=0, skipna=False).dropna()
        tried = rows["lam"]  # beside a λ that diverged there is nothing to extend
        if len(means) < 3 or means.idxmax() not in (tried.min(), tried.max()):
            continue
        lowest = means.idxmax() == means.index[0]
        neighbour = means.index[1] if lowest else means.index[-2]
        gain = (table[means.idxmax()] - table[neighbour]).to_numpy()
        low, _, point = estimate([gain])[0]
        if not (low > 0 or (np.isnan(low) and point > 0)):
            continue
        best = means.idxmax()
        if lowest and best == 0:
            what = "no λ of the grid does better than none. Try smaller λ, or doubt the penalty"
        else:
            what = f"the optimum may lie beyond. Extend the grid {'below' if lowest else 'above'} {best:g}"
        text = (
            f"{name_of(shared)}: the best λ is the {'smallest' if lowest else 'largest'}, {best:g}: {what}."
        )
        found.append(Finding("best_lambda_at_edge", text, tuple(rows.loc[rows["lam"] == best, "run"])))
    return found


def train_above_test(runs: pd.DataFrame) -> list[Finding]:
    """Find penalised settings whose every run ends with a train loss well above its test loss."""
    found = []
    train, test = final_means(runs, "train", "loss"), final_means(runs, "test", "loss")
    penalised = rows_where(runs, (runs["status"] == "done") & (runs["lam"] > 0))
    for shared, rows in group_by(penalised, setting_columns(runs)):
        ratio = train.loc[rows.index] / test.loc[rows.index]
        if not (ratio > ABOVE).all():
            continue
        text = (
            f"{name_of(shared)}: the train loss ends {short(ratio.median())} times as high as the test loss. "
            "The penalty is not in it (losses.csv never has it, training.csv has a column for it): the data "
            "differ. Look for an easier test split, noise in training only, or too small splits."
        )
        found.append(Finding("train_above_test", text, tuple(rows["run"])))
    return found


def _finals(runs: pd.DataFrame) -> list[str]:
    """Return the columns of final values that a run has."""
    names = [final.column for final in finals_among(runs.columns)]
    return [name for name in names if column_of(runs, name).notna().any()]


def _chains(finals: dict[float, pd.DataFrame]) -> list[list[float]]:
    """Return runs of neighbouring λ with equal records for every seed that both have."""
    chains: list[list[float]] = []
    lams = sorted(finals)
    for smaller, larger in zip(lams, lams[1:], strict=False):
        seeds = finals[smaller].index.intersection(finals[larger].index)
        if seeds.empty or not finals[smaller].loc[seeds].equals(finals[larger].loc[seeds]):
            continue
        if chains and chains[-1][-1] == smaller:
            chains[-1].append(larger)
        else:
            chains.append([smaller, larger])
    return chains
