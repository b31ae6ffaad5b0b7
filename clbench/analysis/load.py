"""Records as pandas frames, from a sweep's or a run's folder."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from clbench.analysis.frames import rows_where
from clbench.errors import ConfigurationError
from clbench.records.files import row_bytes
from clbench.records.own import unknown_columns
from clbench.records.roles import role_of_label
from clbench.records.run import SUBSET, SUMMARY
from clbench.records.sweep import read_summaries, settings_of, tabulate

TEXT = ("run", "strategy", "role", "stream", "status", "task", "split")
WHOLE = ("step", "stage")


class Records:
    """The records of a sweep, read when they are asked for.

    Attributes:
        folder: where they are.
        runs: one row per run, as in `runs.csv`.
        losses: all runs' `losses.csv` with `run`, `strategy`, `lam` and `seed` in front.
        training: all runs' `training.csv`, likewise.
        subset: all runs' `subset.csv`, likewise: the ends of stages as the points between them are evaluated.
    """

    def __init__(self, folder: Path, runs: pd.DataFrame) -> None:
        """Hold the frame of runs of a folder; use `load`."""
        self.folder = folder
        self.runs = runs

    def __repr__(self) -> str:
        """Say what is held."""
        return f"<Records of {len(self.runs)} runs in {self.folder}>"

    @functools.cached_property
    def losses(self) -> pd.DataFrame:
        """Losses and scores of all runs at all evaluation points."""
        return self.read("losses.csv")

    @functools.cached_property
    def subset(self) -> pd.DataFrame:
        """Step 0 and ends of stages on the fixed subset, of all runs with splits that are larger than it."""
        having = rows_where(self.runs, [(self.run_folder(run) / SUBSET).exists() for run in self.runs["run"]])
        return Records(self.folder, having).read(SUBSET)

    @functools.cached_property
    def training(self) -> pd.DataFrame:
        """What training recorded of all runs."""
        return self.read("training.csv")

    def run_folder(self, run: str) -> Path:
        """Return a run's folder, given its name in `runs.csv`."""
        inside = self.folder / run
        return self.folder if not inside.is_dir() and (self.folder / SUMMARY).exists() else inside

    def read(self, name: str) -> pd.DataFrame:
        """Return a CSV file of all runs as one frame, with `run`, `strategy`, `lam` and `seed` in front.

        Raises:
            ConfigurationError: a run's folder has no such file, as in a folder that keeps `runs.csv` alone.
        """
        parts = []
        keys = self.runs[["run", "strategy", "lam", "seed"]].itertuples(index=False)
        for run, strategy, lam, seed in keys:
            table = _read_table(self.run_folder(run) / name)
            front = {
                "run": pa.repeat(pa.scalar(run, pa.string()), table.num_rows),
                "strategy": pa.repeat(pa.scalar(strategy, pa.string()), table.num_rows),
                "lam": pa.repeat(pa.scalar(float(lam), pa.float64()), table.num_rows),
                "seed": pa.repeat(pa.scalar(int(seed), pa.int64()), table.num_rows),
            }
            columns = dict(zip(table.column_names, table.columns, strict=True))
            parts.append(pa.table(front | columns))
        return pa.concat_tables(parts, promote_options="default").to_pandas() if parts else pd.DataFrame()

    def with_settings(self, names: Iterable[str]) -> pd.DataFrame:
        """Return `runs` with the named settings too that `runs.csv` leaves out, as all that have them agree.

        Where the runs' folders are not there, or no run has such a setting, there is no column.
        """
        absent = sorted(name for name in names if name not in self.runs)
        if not absent:
            return self.runs
        columns = {
            name: [self._settings.get(run, {}).get(name) for run in self.runs["run"]] for name in absent
        }
        return self.runs.assign(
            **{name: found for name, found in columns.items() if any(value is not None for value in found)}
        )

    @functools.cached_property
    def _settings(self) -> dict[str, dict[str, Any]]:
        """All settings of every run whose folder is there, by its name."""
        return {summary["run"]: settings_of(summary) for summary in read_summaries(self.folder)}

    def compare(
        self, baseline: str | Mapping[str, Any] = "naive", metric: str | None = None, seed: int = 0
    ) -> pd.DataFrame:
        """Return estimates per setting and paired differences from a baseline (see `compare_runs`).

        The baseline is a strategy, `"naive"`, or any setting, `{"strategy": "l2", "lam": 1}`.
        """
        from clbench.analysis.comparison import compare_runs

        return compare_runs(self.runs, baseline, metric, seed)


def load(folder: Path | str) -> Records:
    """Return the results in a sweep's folder, or in a single run's.

    Without rows in `runs.csv` (a run's folder, or a sweep cut short) the summaries below the folder are read.

    Raises:
        ConfigurationError: there are no results in the folder.
    """
    folder = Path(folder)
    path = folder / "runs.csv"
    if path.exists() and len(runs := read_runs(path)):
        if unknown_columns(runs.columns):
            read_summaries(folder)  # which declare them
        return Records(folder, runs)
    summaries = read_summaries(folder) if folder.is_dir() else []
    if not summaries:
        raise ConfigurationError(
            f"A folder of results must hold runs.csv or runs with summary.json; got {folder}. "
            "Give the folder that a clbench command named at its end."
        )
    rows, header = tabulate(summaries)
    return Records(folder, read_runs(io.BytesIO(row_bytes(header, rows))))


def read_runs(source: Path | io.BytesIO) -> pd.DataFrame:
    """Return `runs.csv` as a frame: `lam` as float (NaN where there is none), names as text."""
    kinds: dict[Any, Any] = dict.fromkeys(TEXT, "str") | {"lam": "float64", "seed": "int64"}
    runs = pd.read_csv(
        source,
        dtype=kinds,
        keep_default_na=False,  # a strategy may be called `none`
        na_values=[""],
    ).copy()  # one block per type: pandas warns of a column added to a hundred blocks
    if "role" not in runs:
        runs.insert(list(runs.columns).index("strategy") + 1, "role", runs["strategy"].map(role_of_label))
    return runs.fillna({"role": ""})


def _read_table(path: Path) -> pa.Table:
    """Return one run's CSV file; all columns but names and counts are float64."""
    if not path.exists():
        raise ConfigurationError(
            f"A run's folder must hold {path.name}; got {path.parent}. "
            "Load a folder that holds whole runs, not runs.csv alone."
        )
    with path.open("rb") as file:
        names = file.readline().decode().strip().split(",")
    kinds: dict[str, pa.DataType] = {**dict.fromkeys(TEXT, pa.string()), **dict.fromkeys(WHOLE, pa.int64())}
    types = {name: kinds.get(name, pa.float64()) for name in names}
    options = arrow_csv.ConvertOptions(column_types=types)
    return arrow_csv.read_csv(path, arrow_csv.ReadOptions(use_threads=False), convert_options=options)
