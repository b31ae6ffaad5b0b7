"""Which scores belong on which picture: settings get pictures of their own, variants get lines.

A *setting* is what varies beside the strategy (a scenario, a width, a learning rate tried with every
strategy); runs of different settings are never averaged. A *variant* is a strategy with its own
hyperparameters but λ. A *line* is a variant at one λ.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clbench.analysis.frames import column_of, rows_where
from clbench.analysis.settings import context_columns, strategy_columns
from clbench.figures.looks import Look, variant_looks
from clbench.figures.words import literal, number_text
from clbench.records.columns import finals_among, leading_metric

WIDTH = re.compile(r"(^|\.)(hidden|width|hidden_size|sizes)$")


@dataclass(frozen=True)
class Scores:
    """The runs of a sweep, arranged.

    Args:
        runs: `runs.csv` with the columns `setting`, `variant` and `line` added; the status is `done`.
        all_runs: the same with diverged and failed runs.
        losses: all runs' `losses.csv` with `run` in front.
        tasks: names in their order.
        metrics: `loss` and the stream's scores.
        settings: names of the settings in their order; one empty name when nothing but strategies varies.
        varying: columns that make up the settings.
    """

    runs: pd.DataFrame
    all_runs: pd.DataFrame
    losses: pd.DataFrame
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    settings: tuple[str, ...]
    varying: tuple[str, ...]

    @functools.cached_property
    def looks(self) -> dict[str, Look]:
        """Colour and dash of every variant and of every line, the same in all pictures of the sweep."""
        looks = variant_looks(dict(zip(self.all_runs["variant"], self.all_runs["strategy"], strict=True)))
        lines = zip(self.all_runs["line"], self.all_runs["variant"], strict=True)
        return looks | {line: looks[variant] for line, variant in lines}

    @property
    def selection(self) -> str:
        """The metric that leads and chooses λ: the accuracy or F1 where there is one, else the loss."""
        return leading_metric(tuple(name for name in self.metrics if name != "loss"))

    @property
    def loss(self) -> str:
        """Which loss it is: `cross_entropy` with a score that counts hits, `mse` otherwise."""
        return "mse" if self.selection == "loss" else "cross_entropy"

    @functools.cached_property
    def bounds(self) -> set[str]:
        """The strategies that the others lie between: those whose role is naive, joint or cumulative."""
        return set(rows_where(self.all_runs, self.all_runs["role"] != "")["strategy"])

    def of(self, setting: str) -> pd.DataFrame:
        """Return the finished runs of a setting."""
        return rows_where(self.runs, self.runs["setting"] == setting)

    def tasks_of(self, setting: str) -> tuple[str, ...]:
        """Return the tasks that a setting's runs have."""
        rows = self.of(setting)
        known = {final.task for final in finals_among(rows) if column_of(rows, final.column).notna().any()}
        return tuple(task for task in self.tasks if task in known)


def arrange(runs: pd.DataFrame, losses: pd.DataFrame) -> Scores:
    """Return the runs of a sweep with their settings, variants and lines.

    Args:
        runs: `runs.csv`.
        losses: all runs' `losses.csv` with `run` in front.
    """
    runs, losses = _drawable(runs.copy(), losses)
    finals = finals_among(runs)
    tasks = tuple(dict.fromkeys(final.task for final in finals))
    metrics = tuple(dict.fromkeys(final.metric for final in finals))
    varying = _settings(runs)
    runs["setting"] = _words(runs, varying) if varying else ""
    runs["variant"] = _variants(runs)
    runs["line"] = [
        variant if np.isnan(lam) else f"{variant}, λ={number_text(lam)}"
        for variant, lam in zip(runs["variant"], runs["lam"], strict=True)
    ]
    settings = tuple(sorted(runs["setting"].unique(), key=_natural))
    done = rows_where(runs, runs["status"] == "done")
    return Scores(done, runs, losses, tasks, metrics, settings, varying)


def _drawable(runs: pd.DataFrame, losses: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both frames with the names of tasks as matplotlib takes them literally."""
    names = {
        final.column: final._replace(task=literal(final.task)).column
        for final in finals_among(runs)
        if "$" in final.task
    }
    if names:
        runs, losses = runs.rename(columns=names), losses.assign(task=losses["task"].map(literal))
    return runs, losses


def _settings(runs: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns of configuration that vary within some strategy and aren't the strategy's own.

    A column is left out when those before it already divide the runs by it (a stream's name fixes its sizes).
    """
    columns = sorted(context_columns(runs), key=lambda name: "." in name)  # whole groups first
    return _dividing(runs, columns, ["strategy"])


def _dividing(runs: pd.DataFrame, columns: list[str], known: list[str]) -> tuple[str, ...]:
    """Return the columns, in order, that divide runs which `known` and the former ones do not."""
    kept: list[str] = []
    texts = runs.astype(dict.fromkeys([*known, *columns], str))
    groups = len(texts.drop_duplicates(known)) if known else 1
    for column in columns:
        finer = len(texts.drop_duplicates([*known, *kept, column]))
        if finer > groups:
            kept.append(column)
            groups = finer
    return tuple(kept)


def _words(runs: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Return `name=value` pairs as one text a run, with dotted names cut short where that is unique."""
    texts = [f"{short_name(column, columns)}=" + _plain(column_of(runs, column)) for column in columns]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + ", " + text
    return joined


def _natural(text: str) -> list[tuple[float, str]]:
    """Return a sort key by which numbers within texts are in the order of their size."""
    parts = re.split(r"(\d+\.?\d*(?:e-?\d+)?)", text)
    return [(float(part), "") if place % 2 else (0.0, part) for place, part in enumerate(parts)]


def short_name(column: str, columns: tuple[str, ...]) -> str:
    """Return the last part of a dotted name, or all of it when another column ends alike."""
    last = column.rsplit(".", 1)[-1]
    return last if sum(other.rsplit(".", 1)[-1] == last for other in columns) == 1 else column


def _plain(values: pd.Series) -> pd.Series:
    """Return a column as text, numbers as a person writes them, and `null` where a cell is empty."""

    def text(value: object) -> str:
        return number_text(value) if isinstance(value, float) else str(value)

    return values.map(lambda value: "null" if pd.isna(value) else text(value)).astype(str)


def _variants(runs: pd.DataFrame) -> pd.Series:
    """Return the strategy's name, with those of its own hyperparameters (λ apart) that vary within it."""
    names = column_of(runs, "strategy").astype(str)
    own = [name for name in strategy_columns(runs) if name.startswith("strategy.")]
    for strategy, rows in runs.groupby("strategy"):
        varying = _dividing(rows, own, [])
        if varying:
            names.loc[rows.index] = f"{strategy} (" + _words(rows, varying) + ")"
    return names


def width_column(scores: Scores) -> str | None:
    """Return the setting that is a width (`model.hidden`, `…width`), if one varies, and only it."""
    found = [column for column in scores.varying if WIDTH.search(column)]
    return found[0] if len(found) == 1 and len(scores.varying) == 1 else None


def width_of(values: pd.Series) -> pd.Series:
    """Return widths as numbers: `64`, `[64, 64]` → 64; unequal layers count by their largest."""
    return values.map(
        lambda value: max((float(text) for text in re.findall(r"\d+\.?\d*", str(value))), default=np.nan)
    )
