"""The user's own tables of numbers, for classification or regression."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from clbench.errors import ConfigurationError, shown
from clbench.fields import choice
from clbench.streams.base import Stream
from clbench.streams.readers import FILE, ROW, place_of
from clbench.streams.standardisation import standardise
from clbench.streams.tables import TaskTable, encode_labels, paths_of, read_tasks
from clbench.streams.user_files import FileSource, Reading

KINDS = ("classification", "regression")
NAMELESS = re.compile(r"Unnamed: \d+(\.\d+)*")
"""A column without a name, as `DataFrame.to_csv` writes its index."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TabularFile(FileSource):
    """Feature columns and a target from CSV, TSV, JSONL or Parquet files; all tasks share the outputs.

    Features become (x − mean) / std with mean and standard deviation (divisor n) of task A's training
    split; a feature that is constant there, or varies by rounding only, is only centred. In regression
    the target can be standardised alike, and its scores are then in units of that deviation.

    Args:
        path, task, split, val, test, split_seed: see `FileSource`; in regression rows have no labels.
        target: the column to predict.
        features: the columns to predict from, numbers; null for all others that have a name (the first one
            has none where `DataFrame.to_csv` wrote its index).
        kind: `classification` (the classes of all tasks, sorted) or `regression`.
        standardise_target: see above.
    """

    target: str = "target"
    features: tuple[str, ...] | None = None
    kind: str = choice("classification", KINDS)
    standardise_target: bool = False

    def column_problems(self, key: str) -> Iterable[str]:
        """Yield a line for features that can't be."""
        if self.features == ():
            yield f"{key}.features must name columns; got {key}.features=[]. Name one, or use null for all."
        if self.target in (self.features or ()):
            yield (
                "The target must not be among the features; got "
                f"{key}.target={self.target} and {key}.features={shown(self.features)}. Leave it out."
            )

    def read(self, owner: int) -> Reading:
        """Return the stream: `inputs` `[rows, features]`, `targets` `[rows]` or `[rows, 1]`."""
        regression = self.kind == "regression"
        found = read_tasks(
            paths_of(self.path),
            (self.target, *(self.features or ())),
            None if regression else self.target,
            self.task,
            self.split,
        )
        tables = found.tasks
        features = self.features or _features(self, tables[0].rows)
        inputs = np.concatenate([_numbers(table, features) for table in tables])
        if regression:
            values = np.concatenate([_numbers(table, (self.target,)) for table in tables])
            labels = [torch.zeros(len(table.rows), dtype=torch.int64) for table in tables]
            outputs = 1
        else:
            labels, classes = encode_labels(tables, self.target)
            outputs = len(classes)
        tasks = self.tasks(tables, labels, outputs, owner)
        train = tasks[0].train.numpy()
        inputs, constant = standardise(inputs, train)
        targets = torch.cat(labels)
        if regression:
            values = standardise(values, train)[0] if self.standardise_target else values
            targets = torch.from_numpy(values).float()
        stream = Stream(
            inputs=torch.from_numpy(inputs).float(),
            targets=targets,
            tasks=tasks,
            scenario="regression" if regression else "domain",
            outputs=outputs,
            scores=("rmse", "r2") if regression else ("accuracy", "f1_micro", "f1_macro"),
        )
        left_out = [] if self.features else _nameless(tables[0].rows)
        centred = [name for name, is_constant in zip(features, constant, strict=True) if is_constant]
        return Reading(stream, [*found.notes, *_notes(left_out, centred)])


def _nameless(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if NAMELESS.fullmatch(name)]


def _notes(left_out: list[str], centred: list[str]) -> list[str]:
    """Return what to log of columns that are no features, and of features that are constant in task A."""
    found = []
    if left_out:
        found.append(
            f"Columns without a name are no features (an index that was written with the table?): left out "
            f"{', '.join(left_out)}. Name them in stream.features to use them."
        )
    if centred:
        shown = ", ".join(centred[:5]) + (f" and {len(centred) - 5} more" if len(centred) > 5 else "")
        found.append(
            "Features that don't vary in the first task's training rows are centred there, not scaled: "
            f"{shown}."
        )
    return found


def _features(source: TabularFile, rows: pd.DataFrame) -> tuple[str, ...]:
    apart = {source.target, source.task, source.split, FILE, ROW, *_nameless(rows)}
    found = tuple(name for name in rows.columns if name not in apart)
    if not found:
        raise ConfigurationError(
            f"A table must have a column besides its target; got none in {rows[FILE].iloc[0]}. Add features."
        )
    return found


def _numbers(table: TaskTable, columns: tuple[str, ...]) -> np.ndarray:
    """Return columns as float64 `[rows, columns]`."""
    result = np.empty((len(table.rows), len(columns)))
    for place, name in enumerate(columns):
        result[:, place] = _as_numbers(pd.Series(table.rows[name]))
    wrong = np.argwhere(~(np.abs(result) <= LARGEST))
    if len(wrong):
        row, place = map(int, wrong[0])
        name = columns[place]
        raise ConfigurationError(
            f"The column {name} must hold finite numbers; got {repr(table.rows[name].iloc[row])[:40]} "
            f"({place_of(table.rows, row)}), and float32 ends at {LARGEST:.2e}. Correct it, or leave the "
            "column out of stream.features."
        )
    return result


def _as_numbers(values: pd.Series) -> np.ndarray:
    """Return float64 `[rows]`, NaN for what is no number; dates are none."""
    if values.dtype.kind in "mM":
        return np.full(len(values), np.nan)
    if values.dtype == object:  # whole numbers may be past float64's range
        values = values.map(
            lambda value: np.nan if isinstance(value, int) and abs(value) > LARGEST else value
        )
    return pd.Series(pd.to_numeric(values, errors="coerce")).to_numpy("float64", na_value=np.nan)
