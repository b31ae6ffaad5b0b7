"""The user's own tables of numbers, for classification or regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from clbench.errors import ConfigurationError
from clbench.streams.base import Stream
from clbench.streams.bounds import choice_problems
from clbench.streams.tables import FILE, ROW, TaskTable, encode_labels, paths_of, place_of, read_tasks
from clbench.streams.user_files import FileSource

KINDS = ("classification", "regression")


@dataclass(frozen=True)
class TabularFile(FileSource):
    """Feature columns and a target from CSV, TSV, JSONL or Parquet files; all tasks share the outputs.

    Features become (x − mean) / std with mean and standard deviation (divisor n) of task A's training
    split; a feature that is constant there is only centred. In regression the target can be
    standardised alike, and its scores are then in units of that deviation.

    Args:
        path, task, split, val, test, split_seed: see `FileSource`; in regression rows have no labels.
        target: the column to predict.
        features: the columns to predict from; null for all others, which must be numbers.
        kind: `classification` (the classes of all tasks, sorted) or `regression`.
        standardise_target: see above.
    """

    target: str = "target"
    features: tuple[str, ...] | None = None
    kind: str = "classification"
    standardise_target: bool = False

    def field_problems(self) -> list[str]:
        """Return a line for an unknown kind and for features that can't be."""
        found = choice_problems("kind", self.kind, KINDS)
        if self.features is not None and not self.features:
            found.append("stream.features must name columns, or be null for all; got stream.features=[].")
        if self.features is not None and self.target in self.features:
            found.append(
                "The target must not be among the features; got "
                f"stream.target={self.target} and stream.features={list(self.features)}. Leave it out."
            )
        return found

    def read(self, owner: int) -> Stream:
        """Return the stream: `inputs` `[rows, features]`, `targets` `[rows]` or `[rows, 1]`."""
        regression = self.kind == "regression"
        named = (self.target, *(self.features or ()))
        tables = read_tasks(paths_of(self.path), named, self.task, self.split)
        inputs = np.concatenate([_numbers(table, _features(self, table.rows)) for table in tables])
        if regression:
            values = np.concatenate([_numbers(table, (self.target,)) for table in tables])
            labels = [torch.zeros(len(table.rows), dtype=torch.int64) for table in tables]
            outputs = 1
        else:
            labels, classes = encode_labels(tables, self.target)
            outputs = len(classes)
        tasks = self.tasks(tables, labels, outputs, owner)
        train = tasks[0].train.numpy()
        targets = torch.cat(labels)
        if regression:
            values = _standardise(values, train) if self.standardise_target else values
            targets = torch.from_numpy(values).float()
        return Stream(
            inputs=torch.from_numpy(_standardise(inputs, train)).float(),
            targets=targets,
            tasks=tasks,
            scenario="regression" if regression else "domain",
            outputs=outputs,
            scores=("rmse", "r2") if regression else ("accuracy", "f1_micro", "f1_macro"),
        )


def _features(source: TabularFile, rows: pd.DataFrame) -> tuple[str, ...]:
    if source.features is not None:
        return source.features
    apart = {source.target, source.task, source.split, FILE, ROW}
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
        result[:, place] = pd.to_numeric(table.rows[name], errors="coerce").astype("float64")
    wrong = np.argwhere(~np.isfinite(result))
    if len(wrong):
        row, place = map(int, wrong[0])
        raise ConfigurationError(
            f"The column {columns[place]} must hold finite numbers; got "
            f"{table.rows[columns[place]].iloc[row]!r} ({place_of(table.rows, row)}). Correct it, or "
            "leave the column out of stream.features."
        )
    return result


def _standardise(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return (x − mean) / std over the rows `train`; a constant column is only centred."""
    deviation = values[train].std(axis=0)
    return (values - values[train].mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
