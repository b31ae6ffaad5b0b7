"""Names of classes and tasks in the user's files: one spelling for what means the same, and their order."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from clbench.errors import ConfigurationError
from clbench.streams.readers import place_of

PLAIN = re.compile(r"([+-]?)(0|[1-9]\d*)(?:\.(\d*?)0*)?", re.ASCII)
"""A number that several programs spell in several ways: 1, 1.0, 1.00, +1. Not 01, which may be a code."""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
"""Any number."""


def spelled(value: object) -> str:
    """Return a name without blanks at its ends and, where it is a plain number, zeros after the point."""
    text = str(value).strip()
    found = PLAIN.fullmatch(text)
    if found is None:
        return text
    sign, whole, part = found.groups()
    number = f"{whole}.{part}" if part else whole
    return f"-{number}" if sign == "-" and number != "0" else number


def in_order(names: Iterable[str]) -> list[str]:
    """Return names sorted: numbers by their value, then all others, `nan` among them, by the alphabet."""
    return sorted(names, key=lambda name: (value_of(name) is None, value_of(name) or Decimal(0), name))


def value_of(name: str) -> Decimal | None:
    """Return the exact value of a name that is a number, else None."""
    return Decimal(name) if NUMBER.fullmatch(name) else None


class NameColumn:
    """A column of names, read from one file after the other.

    Args:
        column: its name.
        what: what a row must have there: `label` or `task`.
    """

    def __init__(self, column: str, what: str) -> None:
        self.column, self.what = column, what
        self._spellings: dict[str, dict[str, None]] = {}

    def read(self, rows: pd.DataFrame) -> list[str]:
        """Return the name of every row of a file.

        Raises:
            ConfigurationError: a row has none, or something that is neither a text nor a finite number.
        """
        values = rows[self.column]
        missing = values.isna().to_numpy()
        found: list[str] = []
        known: dict[tuple[type, Any], str] = {}
        for index, value in enumerate(values.to_numpy()):
            if missing[index] or (isinstance(value, str) and not value.strip()):
                raise ConfigurationError(
                    f"Every row must have a {self.what}; got none in the column {self.column} "
                    f"({place_of(rows, index)}). Correct it, or take the row out."
                )
            if not _is_scalar(value):
                raise ConfigurationError(
                    f"A {self.what} must be a text or a finite number; got {str(value)[:40]} in the column "
                    f"{self.column} ({place_of(rows, index)}). Correct it."
                )
            key = (type(value), value)
            if key not in known:
                known[key] = spelled(value)
                self._spellings.setdefault(known[key], {})[str(value)] = None
            found.append(known[key])
        return found

    def problems(self) -> list[str]:
        """Return a line for names of one value that stay apart, such as 1 and 01."""
        of_value: dict[Decimal, str] = {}
        found = []
        for name in self._spellings:
            value = value_of(name)
            other = name if value is None else of_value.setdefault(value, name)
            if other != name:
                found.append(
                    f"A number must be spelled in one way; got the {self.what}s {other} and {name} in the "
                    f"column {self.column}. Spell them alike."
                )
        return found

    def notes(self) -> list[str]:
        """Return a line that names spellings that were taken for one."""
        several = [list(map(repr, texts)) for texts in self._spellings.values() if len(texts) > 1]
        if not several:
            return []
        return [
            f"The column {self.column} has several spellings of one {self.what}, which count as the same: "
            f"{', '.join(several[0][:3])}"
            + (f" (and of {len(several) - 1} others)." if len(several) > 1 else ".")
        ]


def _is_scalar(value: object) -> bool:
    """Tell whether a value is a text, a date or a finite number."""
    if isinstance(value, float | np.floating):
        return math.isfinite(value)
    return isinstance(value, str | Number | np.generic | datetime.date)
