"""Tables in the user's files, divided into tasks and splits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clbench.config import SPLITS
from clbench.errors import ConfigurationError, known, raise_together
from clbench.streams.base import generator, task_names
from clbench.streams.names import NameColumn, in_order
from clbench.streams.readers import FILE, READERS, ROW, place_of, read_table
from clbench.streams.sampling import draw_stratified


@dataclass(frozen=True)
class TaskTable:
    """One task's rows.

    Args:
        name: of the task.
        rows: the table; the columns `FILE` and `ROW` hold where a row comes from.
        split: `train`, `val`, `test` of every row, or None where the file doesn't say.
    """

    name: str
    rows: pd.DataFrame
    split: np.ndarray | None


@dataclass(frozen=True)
class Tables:
    """The tasks in the order in which they are learned, and lines on how their files were understood."""

    tasks: list[TaskTable]
    notes: list[str]


def path_problems(path: str | Sequence[str] | None, key: str) -> list[str]:
    """Return a line when the field `path` of the stream at `key` names no file."""
    if path and all(isinstance(item, str) and item for item in _listed(path)):
        return []
    return [
        f"{key}.path must name a file, or a list of one file per task; got {key}.path={path}. "
        f"{known(READERS)}"
    ]


def paths_of(path: str | Sequence[str] | None) -> list[Path]:
    """Return the files that the field `stream.path` names: one, or one per task."""
    return [Path(os.path.realpath(Path(item).expanduser())) for item in _listed(path)]


def read_tasks(
    paths: Sequence[Path], columns: Sequence[str], label: str | None, task: str | None, split: str | None
) -> Tables:
    """Return the tasks: one per file, or one per name in a column in the order in which they appear.

    Names of tasks and labels that mean the same, such as `1` and `1.0` or `A` and `A `, are one (see
    `names`). A file that is named twice is a task that comes again.

    Args:
        paths: the files.
        columns: which every file must have, besides `label`, `task` and `split`.
        label: the column of the labels; None where there are none.
        task: the column of the task's name; None for one task per file.
        split: the column of the split; None for none.

    Raises:
        ConfigurationError: with one line per fault.
    """
    names = [NameColumn(column, what) for column, what in ((task, "task"), (label, "label")) if column]
    needed = list(dict.fromkeys(name for name in (*columns, label, task, split) if name is not None))
    frames, faults = [], [] if task is None else _repeats(paths)
    for path in paths:
        try:
            frames.append(_with_names(_checked(read_table(path), path, needed), names))
        except ConfigurationError as error:
            faults += error.problems
    raise_together([*faults, *(line for column in names for line in column.problems())])
    joined = pd.concat(frames, ignore_index=True)
    file = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    groups = [rows.reset_index(drop=True) for _, rows in joined.groupby(task or file, sort=False)]
    tasks = [
        TaskTable(name, rows, None if split is None else _splits(rows, split))
        for name, rows in zip(task_names(len(groups)), groups, strict=True)
    ]
    return Tables(tasks, [line for column in names for line in column.notes()])


def divide(table: TaskTable, labels: Tensor, val: float, test: float, seed: int) -> dict[str, Tensor]:
    """Return the rows of each split: as the file says, or drawn so that every label keeps its share.

    The draw depends on the seed and on this task's labels, row by row; not on the task's name or place,
    nor on other tasks. So a task that comes again has the split that it had.

    Args:
        table: a task.
        labels: int64 `[rows]`; one value for all where there are no classes.
        val, test: shares of the rows.
        seed: of the draw.

    Raises:
        ConfigurationError: the training or test split is empty.
    """
    rows = torch.arange(len(labels))
    if table.split is not None:
        found = {name: rows[torch.from_numpy(table.split == name)] for name in SPLITS}
    else:
        draw = generator(seed, "split")
        chosen, others = draw_stratified(rows, labels, round(test * len(rows)), draw)
        middle, rest = draw_stratified(others, labels[others], round(val * len(rows)), draw)
        found = {"train": rest, "val": middle, "test": chosen}
    empty = [name for name in ("train", "test") if not len(found[name])]
    if empty:
        raise ConfigurationError(
            f"Every task must have training and test rows; got no {' and no '.join(empty)} rows among the "
            f"{len(rows)} of task {table.name}. Add rows, or change stream.val and stream.test."
        )
    return found


def encode_labels(tables: Sequence[TaskTable], column: str) -> tuple[list[Tensor], list[str]]:
    """Return each task's labels, int64 `[rows]`, and the classes of all tasks, sorted by `in_order`.

    Raises:
        ConfigurationError: there are fewer than two classes.
    """
    columns = [table.rows[column] for table in tables]
    classes = in_order(set().union(*columns))
    if len(classes) < 2:
        raise ConfigurationError(
            f"There must be at least 2 classes; got only {classes[0]} in the column {column}. "
            "Add rows of another."
        )
    number_of = {name: number for number, name in enumerate(classes)}
    return [torch.tensor([number_of[name] for name in names]) for names in columns], classes


def _listed(path: str | Sequence[str] | None) -> Sequence[str]:
    return (path,) if isinstance(path, str) else path or ()


def _repeats(paths: Sequence[Path]) -> list[str]:
    """Return a line per file that is named again, whose rows a task would have twice."""
    return [
        f"With a task column every file must be named once; got stream.path={path} twice. Take it out."
        for index, path in enumerate(paths)
        if path in paths[:index]
    ]


def _checked(frame: pd.DataFrame, path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """Return a file's table, which has rows and the columns that are needed."""
    names = [name for name in frame.columns if name not in (FILE, ROW)]
    faults = [
        f"The table must have the column {name}; got none in {path}. {known(names)}"
        for name in needed
        if name not in names
    ]
    if frame.empty:
        faults.append(f"A table must have rows; got none in {path}.")
    raise_together(faults)
    return frame


def _with_names(frame: pd.DataFrame, columns: Sequence[NameColumn]) -> pd.DataFrame:
    """Return a file's table with labels and tasks in one spelling."""
    found, faults = {}, []
    for names in columns:
        try:
            found[names.column] = names.read(frame)
        except ConfigurationError as error:
            faults += error.problems
    raise_together(faults)
    return frame.assign(**found)


def _splits(rows: pd.DataFrame, column: str) -> np.ndarray:
    found = rows[column].astype(str).str.strip().str.lower().to_numpy(dtype=object)
    wrong = [index for index, value in enumerate(found) if value not in SPLITS]
    if wrong:
        raise ConfigurationError(
            f"The column {column} must say train, val or test; got {found[wrong[0]]} "
            f"({place_of(rows, wrong[0])}). Correct it."
        )
    return found
