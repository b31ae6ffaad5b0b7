"""One of the user's files as a table: CSV, TSV, JSON lines or Parquet, with the place of every row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clbench.errors import ConfigurationError, known

FILE, ROW = "__file__", "__row__"
"""Columns added to a table: a row's file, and its number there from 1, the header not counted."""


def read_table(path: Path) -> pd.DataFrame:
    """Return a file's rows with the columns `FILE` and `ROW`; a file that hasn't changed is read once.

    Cells of CSV and TSV are texts, blanks among them; those of JSON lines are objects, NaN where a key is
    missing. A column without a name is called `Unnamed: 0` after its place, as pandas does.

    Raises:
        ConfigurationError: the file is missing, is no regular file, or can't be read as what its name says.
    """
    state = path.stat() if path.is_file() else None
    return _read(path, (state.st_mtime_ns, state.st_size) if state else None)


def place_of(rows: pd.DataFrame, index: int) -> str:
    """Return where a row stands, as `file, row n`."""
    return f"{rows[FILE].iloc[index]}, row {rows[ROW].iloc[index]}"


@lru_cache(maxsize=16)
def _read(path: Path, state: tuple[int, int] | None) -> pd.DataFrame:
    """Return a file's table; `state` makes a changed file another entry of the cache."""
    if state is None:
        raise ConfigurationError(f"A stream's file must exist; got stream.path={path}. Correct the path.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(
            f"A file's name must end in a known kind; got stream.path={path}. {known(READERS)}"
        )
    try:
        frame = reader(path)
    except (ValueError, OSError, NotImplementedError) as error:  # what pandas' and pyarrow's parsers raise
        cause = " ".join(str(error).split())
        raise ConfigurationError(
            f"A {path.suffix} file must be readable as one; got {cause} in {path}. Correct the file."
        ) from None
    frame.columns = [str(name) for name in frame.columns]
    _check_names(list(frame.columns), path)
    return frame.assign(**{FILE: str(path), ROW: np.arange(1, len(frame) + 1)})


def _check_names(names: list[str], path: Path) -> None:
    """Refuse columns that have the same name."""
    taken = {FILE, ROW}
    for name in names:
        if name in taken:
            raise ConfigurationError(
                f"A table's columns must have different names, other than {FILE} and {ROW}; got {name} in "
                f"{path}. Rename it."
            )
        taken.add(name)


def _read_delimited(path: Path, **kind: Any) -> pd.DataFrame:
    """Return a table of texts, whose first row is the header.

    pandas must not know of the header: it would rename doubled names, and take the first column for an index
    where rows are longer than the header.
    """
    cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig", **kind)
    frame = cells.iloc[1:].reset_index(drop=True)
    frame.columns = _named([str(name) for name in cells.iloc[0]])
    return frame


def _named(header: list[str]) -> list[str]:
    """Return a header in which columns without a name have one that no other has, after their place."""
    taken = {name for name in header if name.strip()}
    found = []
    for place, name in enumerate(header):
        if not name.strip():
            name = f"Unnamed: {place}"
            while name in taken:
                name += ".1"
            taken.add(name)
        found.append(name)
    return found


def _read_json_lines(path: Path) -> pd.DataFrame:
    """Return the objects of a file with one in each line that isn't blank; their keys are the columns.

    Lines end as JSON's do: U+2028, U+2029 and U+0085 are characters of a text.

    Raises:
        ValueError: a line is no JSON object.
    """
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    records = [_record(line, number) for number, line in enumerate(lines, start=1) if line.strip()]
    return pd.DataFrame(records, dtype=object)


def _record(line: str, number: int) -> dict[str, Any]:
    """Return a line's object."""
    try:
        record = json.loads(line)
        if "\\u" in line:
            json.dumps(record, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number}, {error.msg}") from None
    except UnicodeEncodeError:
        raise ValueError(f"line {number}, which has half of a pair of surrogates") from None
    except RecursionError:
        raise ValueError(f"line {number}, which is nested too deep") from None
    except ValueError:  # Python reads no longer ones
        raise ValueError(f"line {number}, which has a number of more than 4,300 digits") from None
    if not isinstance(record, dict):
        raise ValueError(f"line {number}, which is no object")
    return record


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_delimited,
    ".tsv": lambda path: _read_delimited(path, sep="\t", quoting=csv.QUOTE_NONE),
    ".jsonl": _read_json_lines,
    ".parquet": pd.read_parquet,
}
"""How a file is read, by the end of its name: CSV with quotes, TSV without, JSON objects a line, Parquet."""
