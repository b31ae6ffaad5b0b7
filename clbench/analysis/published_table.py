"""A table as it was printed: its rows, and what its spread says of each mean.

A CSV in experiments/published with the columns method,scenario,metric,unit,mean,spread.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clbench.errors import ConfigurationError

TABLES = ("experiments/published", "clbench/experiments/published")


@dataclass(frozen=True)
class Published:
    """A row of a published table.

    Args:
        method, scenario: which row.
        metric: a column of `runs.csv`.
        unit: `%`, or `1` as `runs.csv` has it.
        mean: as printed, in its unit.
        digits: printed after the point.
        spread: as printed, NaN where none is.
    """

    method: str
    scenario: str
    metric: str
    unit: str
    mean: float
    digits: int
    spread: float

    @property
    def scale(self) -> float:
        """Its unit, in that of `runs.csv`."""
        return 100.0 if self.unit == "%" else 1.0


def find_table(name: str) -> Path:
    """Return the path of a published table, in a checkout or an installed wheel."""
    base = Path(__file__).resolve().parents[2]
    for place in TABLES:
        if (base / place / name).is_file():
            return base / place / name
    raise ConfigurationError(
        f"study.published.table must name a file in experiments/published; got study.published.table={name}."
    )


def read_table(path: Path) -> list[Published]:
    """Return the rows of a published table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Published(
                row["method"],
                row["scenario"],
                row["metric"],
                row["unit"],
                float(row["mean"]),
                len(row["mean"].partition(".")[2]),
                float(row["spread"] or "nan"),
            )
            for row in csv.DictReader(file)
        ]


def standard_error(spread: float, kind: str, n: int) -> float:
    """Return the standard error of a published mean; 0 where no spread was published.

    Args:
        spread: as printed.
        kind: `std` divides by n, so that s² = std² · n / (n − 1); `sd` is s itself; `sem` is s/√n.
        n: published runs.
    """
    if np.isnan(spread):
        return 0.0
    return float(spread / np.sqrt({"std": n - 1, "sd": n, "sem": 1}[kind]))
