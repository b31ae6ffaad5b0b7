"""What a sweep has left, in hand: tables, comparison, pictures, report."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd

from clbench.analysis.comparison import Baseline
from clbench.analysis.load import Records
from clbench.analysis.load import load as load_records
from clbench.api.plots import Plots


class Results:
    """The results of a sweep or a run: tables, comparison, pictures and report; in a notebook, a table.

    Args:
        records: the same, read from its folder, as the functions of `clbench.analysis` take them.
    """

    def __init__(self, records: Records) -> None:
        self.records = records

    def __repr__(self) -> str:
        return f"<Results of {len(self.runs)} runs in {self.folder}>"

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.records.folder

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run, as in `runs.csv`."""
        return self.records.runs

    @property
    def losses(self) -> pd.DataFrame:
        """All runs' `losses.csv`, with `run`, `strategy`, `lam` and `seed` in front."""
        return self.records.losses

    @property
    def training(self) -> pd.DataFrame:
        """All runs' `training.csv`, likewise."""
        return self.records.training

    @property
    def subset(self) -> pd.DataFrame:
        """All runs' `subset.csv`, likewise: the ends of stages as the points between them are evaluated."""
        return self.records.subset

    def compare(self, baseline: Baseline = "naive", metric: str | None = None, seed: int = 0) -> pd.DataFrame:
        """Return estimates per setting and paired differences from a baseline.

        The baseline is a strategy, `"naive"`, or any setting, `{"strategy": "l2", "lam": 1}`.
        """
        return self.records.compare(baseline, metric, seed)

    @functools.cached_property
    def plot(self) -> Plots:
        """The pictures, by name: `results.plot.loss("A")` is a matplotlib figure."""
        return Plots(self.records)

    def report(self, baseline: Baseline | None = None, all_settings: bool = False) -> Path:
        """Write `figures/` and `report.html` into the folder of the results; return the page's path.

        Args:
            baseline: strategy or setting that the others are compared with; None for naive if there is one.
            all_settings: draw every setting, however many there are.
        """
        from clbench.report.write import write_report

        return write_report(self.records, self.folder, baseline, all_settings=all_settings)[1]

    def _repr_html_(self) -> str:
        from clbench.report.html import render_tables

        return render_tables(self.records)


def load(folder: Path | str) -> Results:
    """Return the results in a sweep's folder, or in a single run's.

    Raises:
        ConfigurationError: there are no results in the folder.
    """
    return Results(load_records(folder))
