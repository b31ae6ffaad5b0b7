"""All that a chart is drawn of: one setting of a sweep, with its choice of λ and its curves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clbench.analysis.frames import column_of, rows_where
from clbench.analysis.published import Comparison
from clbench.figures import estimates as est
from clbench.figures.choices import Choice, choose
from clbench.figures.scores import Scores
from clbench.records.roles import JOINT


@dataclass(frozen=True)
class Curves:
    """A metric over the whole training.

    Args:
        estimates: `line, strategy, task, step, mean, low, high, n`.
        stages: per task the first and the last step of its stage, in order.
        counted: what `step` counts, for the axis.
    """

    estimates: pd.DataFrame
    stages: Mapping[str, tuple[float, float]]
    counted: str


@dataclass(frozen=True)
class Setting:
    """One setting of a sweep, or with an empty name the whole of it.

    Args:
        scores: of the sweep.
        run_folder: gives a run's folder.
        name: of the setting.
        is_only: whether no other setting of the sweep is drawn.
        published: our runs beside a published table, where the study has one.
        source: what that table is called in print.
    """

    scores: Scores
    run_folder: Callable[[str], Path]
    name: str = ""
    is_only: bool = True
    published: tuple[Comparison, ...] = ()
    source: str = ""

    @property
    def runs(self) -> pd.DataFrame:
        """The finished runs."""
        return self.scores.of(self.name) if self.name else self.scores.runs

    @property
    def swept(self) -> pd.DataFrame:
        """The finished runs of variants with at least 3 values of λ."""
        runs = rows_where(self.runs, self.runs["lam"].notna())
        counts = runs.groupby("variant").agg({"lam": "nunique"})
        return rows_where(runs, column_of(runs, "variant").map(column_of(counts, "lam")) >= 3)

    @property
    def bounds(self) -> pd.DataFrame:
        """The finished runs without λ that the others lie between: naive's, joint's, cumulative's."""
        return rows_where(self.runs, self.runs["lam"].isna() & (self.runs["role"] != ""))

    @property
    def has_joint(self) -> bool:
        """Whether one of the strategies that get curves trains on all tasks from the start."""
        return JOINT in set(self.choice.runs["role"])

    @functools.cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the runs have."""
        return self.scores.tasks_of(self.name)

    @functools.cached_property
    def choice(self) -> Choice:
        """The runs that get curves: of every variant those at the chosen λ."""
        return choose(self.scores, self.name)

    def curves(self, metric: str) -> Curves:
        """Return a metric of the chosen runs over the whole training."""
        chosen = self.choice.runs
        rows = rows_where(self.scores.losses, self.scores.losses["run"].isin(chosen["run"]))
        losses, counted = est.along_stages(rows)
        return Curves(
            est.curve_estimates(losses, chosen, metric), est.stage_spans(losses, self.tasks), counted
        )
