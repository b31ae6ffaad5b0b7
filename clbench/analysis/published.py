"""Our runs beside a published table: does every published mean lie within the joint uncertainty?

A study's YAML says which table, and which runs a row means:

    published:
      source: Hsu et al. 2018, table 2   # what the table is called in print
      table: hsu2018_split_mnist.csv     # in experiments/published: method,scenario,metric,unit,mean,spread
      spread: std                        # of runs: divided by n (`std`) or n − 1 (`sd`); or `sem`
      n: 10                              # published runs
      of:                                # conditions on columns of runs.csv, as in claims
        adam: {strategy: naive, optimizer: adam}
      pooled: {offline: [2115, 2042]}    # methods whose accuracy is over all test samples: those of each task
      reasons: {adam/task: why ours differs}

With d = our mean − the published one, s²/n the squared standard errors of both and u half a unit of the last
printed digit, a row agrees (✅) where |d| ≤ t · √(s²/n + s'²/n') + u, t being Student's 97.5 % quantile with
Welch's degrees of freedom: the published mean then lies in the 95 % interval of what ours and theirs differ
by. Without a published spread
theirs is taken as 0. A row with fewer than 3 seeds, whose spread says nothing, is shown but not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.conditions import NotCheckable, matching
from clbench.analysis.load import Results
from clbench.analysis.published_table import Published, find_table, read_table, standard_error
from clbench.analysis.settings import leading_metric_of
from clbench.analysis.statistics import estimate
from clbench.errors import ConfigurationError
from clbench.records.columns import Final
from clbench.records.files import row_bytes, write_whole

HEADER = ("method", "scenario", "metric", "unit", "published", "published_spread", "low", "high", "ours", "n")
FEWEST_SEEDS = 3


@dataclass(frozen=True)
class Comparison:
    """A published row beside our runs, in the row's unit.

    Args:
        row: what was published.
        low, high, ours: our mean over seeds with its 95 % interval (Student's t); NaN without runs.
        n: our seeds.
        allowed: how far the means may lie apart; NaN where nothing can be said.
        reason: why a row does not agree, or was not compared; else empty.
    """

    row: Published
    low: float
    high: float
    ours: float
    n: int
    allowed: float
    reason: str

    @property
    def difference(self) -> float:
        """Ours − published."""
        return self.ours - self.row.mean

    @property
    def agrees(self) -> bool | None:
        """Whether the means agree within the joint uncertainty; None where it was not compared."""
        return None if np.isnan(self.allowed) else bool(abs(self.difference) <= self.allowed)

    @property
    def mark(self) -> str:
        """✅, ❌, or – for what was not compared."""
        return "–" if self.agrees is None else ("✅" if self.agrees else "❌")


def compare_published(results: Results, node: Mapping[str, Any]) -> list[Comparison]:
    """Return one comparison per row of the study's table, in the table's order; none without a table.

    Args:
        results: of the study.
        node: as in this module's grammar.

    Raises:
        ConfigurationError: the table is not there, or the node lacks what is needed.
    """
    if not node:
        return []
    if missing := [key for key in ("table", "spread", "n", "of") if key not in node]:
        raise ConfigurationError(
            f"study.published must have table, spread, n and of; got none of {', '.join(missing)}. Add them."
        )
    if node["spread"] not in ("std", "sd", "sem"):
        raise ConfigurationError(
            f"study.published.spread must be std, sd or sem; got study.published.spread={node['spread']}."
        )
    rows = read_table(find_table(str(node["table"])))
    names = {name for conditions in node["of"].values() for name in conditions} | {"stream.scenario"}
    runs = results.with_settings(names)
    return [_compare(row, runs, node) for row in rows]


def allowed_difference(values: np.ndarray, error: float, n: int, digits: int) -> float:
    """Return how far our mean and a published one may lie apart; NaN with fewer than 3 values.

    Args:
        values: ours, one per seed, in the published unit.
        error: standard error of the published mean.
        n: published runs.
        digits: printed after the point.
    """
    from scipy.stats import t

    if len(values) < FEWEST_SEEDS:
        return float("nan")
    ours, theirs = float(np.var(values, ddof=1)) / len(values), error**2
    parts = ours**2 / (len(values) - 1) + theirs**2 / (n - 1)
    freedom = (ours + theirs) ** 2 / parts if parts > 0 else len(values) - 1
    return float(t.ppf(0.975, freedom) * np.sqrt(ours + theirs) + 0.5 * 10.0**-digits)


def _compare(row: Published, runs: pd.DataFrame, node: Mapping[str, Any]) -> Comparison:
    """Return the comparison of one row."""
    nothing = float("nan")
    try:
        values = _values(row, runs, node)
    except NotCheckable as reason:
        return Comparison(row, nothing, nothing, nothing, 0, nothing, f"not compared: {reason}")
    low, high, ours = estimate([values])[0]
    n = int(node["n"])
    error = standard_error(row.spread, str(node["spread"]), n)
    allowed = allowed_difference(values, error, n, row.digits)
    found = Comparison(row, low, high, ours, len(values), allowed, "")
    if found.agrees is None:
        reason = f"not compared: the spread of fewer than {FEWEST_SEEDS} seeds says nothing"
    elif found.agrees:
        reason = ""
    else:
        told = node.get("reasons") or {}
        keys = (f"{row.method}/{row.scenario}/{row.metric}", f"{row.method}/{row.scenario}", row.method)
        reason = next((str(told[key]) for key in keys if key in told), "no reason found yet")
    return Comparison(row, low, high, ours, len(values), allowed, reason)


def _values(row: Published, runs: pd.DataFrame, node: Mapping[str, Any]) -> np.ndarray:
    """Return our values of a row, one per finished seed, in the row's unit."""
    if row.method not in node["of"]:
        raise NotCheckable("the study does not run it")
    conditions = {"stream.scenario": row.scenario, **node["of"][row.method]}
    if absent := [name for name in conditions if name not in runs]:
        raise NotCheckable(f"there are no finished runs of it: none has {', '.join(absent)}")
    rows = matching(runs, conditions)
    rows = rows[rows["status"] == "done"]
    if rows.empty:
        raise NotCheckable("there are no finished runs of it")
    if rows.duplicated("seed").any():
        raise NotCheckable("several runs per seed fit it")
    pooled = (node.get("pooled") or {}).get(row.method)
    if pooled is not None and row.metric == "acc":
        values = _pooled(rows, pooled)
    elif row.metric in rows:
        values = rows[row.metric].to_numpy(np.float64)
    else:
        raise NotCheckable(f"the runs have no column {row.metric}")
    return np.asarray(values[np.isfinite(values)] * (100.0 if row.unit == "%" else 1.0))


def _pooled(rows: pd.DataFrame, samples: Sequence[int]) -> np.ndarray:
    """Return the accuracy over the test samples of all tasks together, Σ n_j a_j / Σ n_j."""
    metric = leading_metric_of(rows)
    columns = [Final("test", metric, str(task)).column for task in range(len(samples))]
    if absent := [name for name in columns if name not in rows]:
        raise NotCheckable(f"the runs have no column {absent[0]}")
    return rows[columns].to_numpy(np.float64) @ (np.asarray(samples, np.float64) / sum(samples))


def write_comparisons(folder: Path | str, comparisons: Iterable[Comparison]) -> Path:
    """Write `published.csv` and return its path."""
    rows = [
        {
            **{name: getattr(item.row, name) for name in HEADER[:4]},
            "published": item.row.mean,
            "published_spread": item.row.spread,
            **{name: float(getattr(item, name)) for name in ("low", "high", "ours", "difference", "allowed")},
            "n": item.n,
            "agrees": item.agrees,
            "reason": item.reason,
        }
        for item in comparisons
    ]
    path = Path(folder) / "published.csv"
    write_whole(path, row_bytes([*HEADER, "difference", "allowed", "agrees", "reason"], rows))
    return path
