"""Files that are whole or not there: written aside, then renamed; CSV written in columns."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part.

    Raises:
        OSError: the folder can't be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except BaseException:  # also Ctrl-C: nothing half-written may stay
        aside.unlink(missing_ok=True)
        raise


_SHARED: dict[str, tuple[Path, tuple[int, ...]]] = {}
"""Where this process has written what several runs share, by its key, and the file's state then."""


def write_shared(path: Path, key: str, content: Callable[[], bytes]) -> None:
    """Write a file that others of a sweep have too: as a hard link to one of them, where the disk has links.

    Readers see a file like any other, and it stays when the others go. What replaces one by another
    (`write_whole`, most editors, git) leaves the others as they are.

    Args:
        path: of the file.
        key: equal for equal contents.
        content: makes the contents, where they must be written.

    Raises:
        OSError: the folder can't be written.
    """
    if key in _SHARED and _linked(path, *_SHARED[key]):
        return
    write_whole(path, content())
    _SHARED[key] = path, _state(path)


def _linked(path: Path, known: Path, state: tuple[int, ...]) -> bool:
    """Make a file a link to a known one; return whether that was still as it was, and could be linked to."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path == known or _state(known) != state:
            return False
        os.link(known, aside)
        os.replace(aside, path)
        aside.unlink(missing_ok=True)  # which stays where both are one file already
    except OSError:  # another disk, one without links, or too many of them
        aside.unlink(missing_ok=True)
        return False
    return True


def _state(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return a mapping as UTF-8 JSON, a key a line; NaN and infinities, which JSON has not, become null."""
    lines = [f"{json.dumps(key)}: {_encoded(item)}" for key, item in _plain(value).items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain(value: Any) -> Any:
    """Return a value made of what JSON knows."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def column_bytes(columns: Mapping[str, Any]) -> bytes:
    """Return columns of equal length as CSV: UTF-8, comma, `.` decimal, a header line.

    Floats are written by pyarrow as the shortest decimal that reads back to the same float64 (`1` for 1.0).
    Text is quoted where some of it holds a comma, a quote or a line break, and nowhere else.
    """
    table = pa.table(dict(columns))
    try:
        return _table_bytes(table, "none")
    except pa.ArrowInvalid:  # which `none` raises where a text needs quotes
        return _table_bytes(table, "needed")


def _table_bytes(table: pa.Table, quoting: str) -> bytes:
    sink = pa.BufferOutputStream()
    sink.write(row_bytes(table.column_names, ()))
    options = arrow_csv.WriteOptions(include_header=False, quoting_style=quoting)
    arrow_csv.write_csv(table, sink, options)
    return sink.getvalue().to_pybytes()


def row_bytes(header: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV in the order of a header; None, NaN and what a row lacks are empty cells."""
    names = list(header)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_cell(row.get(name)) for name in names] for row in rows])
    return sink.getvalue().encode()


def _cell(value: Any) -> Any:
    """Return a value as the CSV writer shall print it (floats by `repr`)."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return value
