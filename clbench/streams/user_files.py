"""What streams from the user's own tables share: their tasks and splits, and when files are read again."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from clbench.config import SPLITS
from clbench.digests import digest_files
from clbench.errors import ConfigurationError
from clbench.fields import count, number
from clbench.streams.base import Stream, StreamSource, Task
from clbench.streams.tables import TaskTable, divide, path_problems, paths_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What files say: the stream, and lines that a person should know about how they were understood."""

    stream: Stream
    notes: list[str]


@dataclass(frozen=True)
class FileSource(StreamSource):
    """Rows of CSV, TSV, JSONL or Parquet files, divided into tasks and splits.

    A row's split depends on the seed and on its own task's rows alone: a further file or task leaves the
    splits of the others as they are, and a file that is named twice is the same task again, with the same
    split. What does depend on all tasks: the classes (and so the outputs), and the width of texts.

    Args:
        path: one file, or one file per task.
        task: the column of the task's name, tasks in the order of appearance; null for one task per file.
        split: the column that holds `train`, `val` or `test`; null to draw the splits.
        val, test: shares of each task's rows, drawn so that every label keeps its share.
        split_seed: of that draw, so that all seeds share the splits; null to draw by the run's seed.
    """

    path: str | tuple[str, ...] | None = None
    task: str | None = None
    split: str | None = None
    val: float = number(0.1, low=0, below=1)
    test: float = number(0.2, above=0, below=1)
    split_seed: int | None = count(0, low=None, none="the run's seed")

    def column_problems(self, key: str) -> Iterable[str]:
        """Return a line for every rule over the columns that a kind of file has of its own."""
        return ()

    @abstractmethod
    def read(self, owner: int) -> Reading:
        """Return what the files say now, with splits drawn by the seed `owner`.

        Raises:
            ConfigurationError: with one line per fault of a file.
        """

    def cross_problems(self, key: str) -> list[str]:
        """Return a line for every rule that several fields or the files break; log how these are read."""
        found = [*path_problems(self.path, key), *self.column_problems(key)]
        if self.val + self.test >= 1:
            found.append(
                f"Shares must leave training rows; got {key}.val={self.val} and {key}.test={self.test}. "
                "Let them add up to less than 1."
            )
        if found:
            return found
        try:
            for line in self._reading(0).notes:
                log.info(line)
        except ConfigurationError as error:
            found += error.problems
        return found

    def data_version(self) -> str:
        """Return a digest of the files."""
        return digest_files(paths_of(self.path))

    def build(self, seed: int) -> Stream:
        """Return the stream; files that haven't changed are read once.

        Raises:
            ConfigurationError: with one line per fault of a file.
        """
        return self._reading(seed).stream

    def _reading(self, seed: int) -> Reading:
        return _read(self, seed if self.split_seed is None else self.split_seed, self.data_version())

    def tasks(
        self, tables: Sequence[TaskTable], labels: Sequence[Tensor], outputs: int, owner: int
    ) -> tuple[Task, ...]:
        """Return the tasks, whose rows lie one after the other in the pool.

        Args:
            tables: one per task.
            labels: one per task, `[rows]`; every split gets its share of each.
            outputs: of all tasks together.
            owner: the seed of the draw.
        """
        found, start = [], 0
        for table, of_task in zip(tables, labels, strict=True):
            divided = divide(table, of_task, self.val, self.test, owner)
            train, val, test = (divided[split] + start for split in SPLITS)
            found.append(Task(table.name, train, val, test, outputs=(0, outputs)))
            start += len(of_task)
        return tuple(found)


@lru_cache(maxsize=8)
def _read(source: FileSource, owner: int, version: str) -> Reading:
    """Return what the files say; `version` makes changed files another entry of the cache."""
    return source.read(owner)
