"""Files that are whole or not there: written aside, then renamed; CSV written in columns."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
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


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return a mapping as UTF-8 JSON, a key a line; NaN and infinities, which JSON has not, become null."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(item, ensure_ascii=False, allow_nan=False)}"
        for key, item in _plain(value).items()
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain(value: Any) -> Any:
    """Return a value made of what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
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
