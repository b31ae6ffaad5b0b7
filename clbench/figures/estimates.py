"""Scores → estimates: means over seeds with 95 % intervals, vectorised over points and tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clbench.analysis.frames import column_of, groups, rows_where
from clbench.analysis.lambda_sets import best_set
from clbench.analysis.selection import criterion
from clbench.analysis.statistics import estimate, t_interval
from clbench.figures.scores import Scores, width_of


def curve_estimates(
    losses: pd.DataFrame, runs: pd.DataFrame, metric: str = "loss", split: str = "test"
) -> pd.DataFrame:
    """Return the mean curve of every line and task with its interval.

    Args:
        losses: `run, step, task, split, <metric>`.
        runs: `run, line, strategy` of the runs that are wanted.
        metric: column of `losses`.
        split: whose rows.

    Returns:
        `line, strategy, task, step, mean, low, high, n`, only points that all of a line's runs have.
    """
    rows = rows_where(losses, (losses["split"] == split) & losses["run"].isin(runs["run"]))
    parts = []
    for line, members in groups(runs, "line"):
        part = rows_where(rows, rows["run"].isin(members["run"]))
        if part.empty:
            continue
        table = part.pivot(index=["task", "step"], columns="run", values=metric).dropna()
        if table.empty:
            continue
        values = table.to_numpy()
        low, high = t_interval(values)
        parts.append(
            table.index.to_frame(index=False).assign(
                line=line,
                strategy=members["strategy"].iloc[0],
                mean=values.mean(axis=1),
                low=low,
                high=high,
                n=values.shape[1],
            )
        )
    columns = ["line", "strategy", "task", "step", "mean", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True).filter(columns) if parts else pd.DataFrame(columns=columns)


def along_stages(losses: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return losses with all runs' stages side by side, and what `step` then counts.

    Where a stage has more steps in some runs than in others (those that train on a memory too), `step`
    becomes the stage's number plus the share of the run's own steps in it.
    """
    last = losses.groupby(["stage", "run"]).agg({"step": "max"})
    ends = column_of(last, "step").unstack("run").sort_index()
    if (ends.nunique(axis=1) <= 1).all():
        return losses, "gradient step"
    starts = ends.shift(fill_value=0)
    place = pd.MultiIndex.from_frame(losses.filter(["stage", "run"]))
    start, end = (table.stack().reindex(place).to_numpy() for table in (starts, ends))
    shares = (losses["step"].to_numpy() - start) / np.maximum(end - start, 1)
    return losses.assign(step=losses["stage"].to_numpy() + shares), "stage (share of each strategy's steps)"


def stage_spans(losses: pd.DataFrame, tasks: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return per task the first and last step of the stage that trains it."""
    stops = column_of(losses.groupby("stage").agg({"step": "max"}), "step").astype(float)
    return {task: (start, stop) for task, start, stop in zip(tasks, [0.0, *stops], stops, strict=False)}


def matrices(
    losses: pd.DataFrame, runs: pd.DataFrame, tasks: Sequence[str], metric: str, split: str = "test"
) -> dict[str, np.ndarray]:
    """Return per line the mean over seeds of R `[stages, tasks]`: the metric at the end of every stage."""
    rows = rows_where(losses, (losses["split"] == split) & losses["run"].isin(runs["run"]))
    if rows.empty:
        return {}
    ends = rows_where(rows, rows["step"] == rows.groupby(["run", "stage"])["step"].transform("max"))
    ends = ends.merge(runs.filter(["run", "line"]), on="run")
    means = ends.groupby(["line", "stage", "task"]).agg({metric: "mean"})
    table = column_of(means, metric).unstack("task")
    return {
        line: table.loc[line].reindex(columns=list(tasks)).to_numpy()
        for line in runs["line"].unique()
        if line in table.index
    }


def final_estimates(runs: pd.DataFrame, columns: Sequence[str], by: Sequence[str]) -> pd.DataFrame:
    """Return mean, interval and n over the runs of each group, of the mean of given columns of `runs.csv`.

    Args:
        runs: finished runs.
        columns: one column, or several whose mean is meant.
        by: columns that name a group.

    Returns:
        `*by, mean, low, high, n`.
    """
    keys, found = [], []
    values = runs.filter(columns).mean(axis=1, skipna=False)
    for key, part in values.groupby([column_of(runs, name) for name in by], sort=False):
        if part.notna().any():
            keys.append(key)
            found.append(part.dropna().to_numpy())
    frame = pd.DataFrame(keys, columns=list(by))
    frame[["low", "high", "mean"]] = estimate(found)
    frame["n"] = [len(part) for part in found]
    return frame


def front_estimates(
    runs: pd.DataFrame, old: Sequence[str], new: Sequence[str], by: Sequence[str]
) -> pd.DataFrame:
    """Return estimates of two quantities at once: `*by, x, x_low, x_high, y, y_low, y_high, n`.

    Args:
        runs: finished runs.
        old, new: columns of `runs.csv` whose means are x and y.
        by: columns that name a group.
    """
    x = final_estimates(runs, old, by).rename(columns={"mean": "x", "low": "x_low", "high": "x_high"})
    y = final_estimates(runs, new, by).rename(columns={"mean": "y", "low": "y_low", "high": "y_high"})
    return x.merge(y.drop(columns="n"), on=list(by))


def best_lambda_estimates(scores: Scores, column: str) -> pd.DataFrame:
    """Return the best λ of every variant at every width, and how sure it is.

    The estimate is the λ at which the mean over seeds of the leading metric is best on validation (on test
    where there is none); its interval spans the λ that may be best as well (see `best_set`).

    Args:
        scores: the runs.
        column: the width's column.

    Returns:
        `line, strategy, width, lam, low, high, n`; no interval with a single seed.
    """
    runs = rows_where(scores.runs, scores.runs["lam"].notna())
    values = criterion(runs, "val")
    values = values if values.notna().any() else criterion(runs, "test")
    runs = runs.assign(value=values, width=width_of(column_of(runs, column)))
    rows = []
    for variant, members in groups(runs, "variant"):
        for width, part in members.groupby("width", sort=False):
            table = part.pivot_table(index="lam", columns="seed", values="value").dropna()
            if len(table) < 2:
                continue
            found, lams = table.to_numpy(), table.index.to_numpy()
            near = lams[best_set(found.T)[:-1]] if found.shape[1] > 1 else np.array([np.nan])
            best, strategy = lams[found.mean(axis=1).argmax()], part["strategy"].iloc[0]
            rows.append((variant, strategy, width, best, near.min(), near.max(), found.shape[1]))
    return pd.DataFrame(rows, columns=["line", "strategy", "width", "lam", "low", "high", "n"])
