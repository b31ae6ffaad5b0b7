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

A row differs (❌) where p < .05 by Welch's test of both means (`welch`; the rounding of print included) after
Holm's correction over all rows of the table that are judged, so that a table of equal means has a ❌ with
probability .05 at most, however many rows it has. Else it agrees (✅). That a test finds no difference shows
none to be small: a row is marked as weak (✅ weak) where the 95 % interval of the difference is wider than 2
points of 100, or p < .05 by itself. Without a published spread theirs is taken as 0. A row with fewer than 3
seeds, whose spread says nothing, or one that lost a seed (diverged, failed), is shown but not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.conditions import NotCheckable, matching
from clbench.analysis.load import Records
from clbench.analysis.lost import has_value, lost_seeds, reasons
from clbench.analysis.published_table import Published, find_table, read_table, standard_error
from clbench.analysis.settings import leading_metric_of
from clbench.analysis.statistics import estimate, holm
from clbench.analysis.welch import welch
from clbench.errors import ConfigurationError
from clbench.records.columns import Final
from clbench.records.files import row_bytes, write_whole

PRINTED = ("method", "scenario", "metric", "unit")
NUMBERS = ("low", "high", "ours", "difference", "allowed", "p", "p_holm")
FEWEST_SEEDS = 3
ALPHA = 0.05
WIDE = 0.02
"""Width of a difference's interval from which agreement is weak, in `runs.csv`'s unit."""

AGREES, WEAKLY, DIFFERS, NOT_COMPARED = "agrees", "agrees weakly", "differs", "not compared"
MARKS = {AGREES: "✅", WEAKLY: "✅ weak", DIFFERS: "❌", NOT_COMPARED: "–"}


@dataclass(frozen=True)
class Comparison:
    """A published row beside our runs, in the row's unit.

    Args:
        row: what was published.
        low, high, ours: our mean over seeds with its 95 % interval (Student's t); NaN without runs.
        n: our seeds.
        allowed: how far the means may lie apart, half the 95 % interval's width of their difference; NaN
            where nothing can be said.
        p: of «the means are equal», NaN likewise.
        p_holm: the same, corrected for all rows of the table that are judged.
        reason: why a row differs, agrees weakly, or was not compared; else empty.
    """

    row: Published
    low: float
    high: float
    ours: float
    n: int
    allowed: float
    p: float
    p_holm: float
    reason: str

    @property
    def difference(self) -> float:
        """Ours − published."""
        return self.ours - self.row.mean

    @property
    def word(self) -> str:
        """`agrees`, `agrees weakly`, `differs`, or `not compared`."""
        if np.isnan(self.p):
            return NOT_COMPARED
        if self.p_holm < ALPHA:
            return DIFFERS
        return WEAKLY if self.is_wide or self.p < ALPHA else AGREES

    @property
    def is_wide(self) -> bool:
        """Whether the 95 % interval of the difference is wider than 2 points of 100."""
        return 2 * self.allowed > WIDE * self.row.scale

    @property
    def mark(self) -> str:
        """✅, ✅ weak, ❌, or – for what was not compared."""
        return MARKS[self.word]


def compare_published(results: Records, node: Mapping[str, Any]) -> list[Comparison]:
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
    found = [_compare(row, runs, node) for row in rows]
    corrected = holm(np.array([item.p for item in found]))
    family = int(np.isfinite(corrected).sum())
    judged = [replace(item, p_holm=float(p)) for item, p in zip(found, corrected, strict=True)]
    return [replace(item, reason=item.reason or _reason(item, family, node)) for item in judged]


def _compare(row: Published, runs: pd.DataFrame, node: Mapping[str, Any]) -> Comparison:
    """Return the comparison of one row, not corrected for the others."""
    nothing = float("nan")
    found = Comparison(row, nothing, nothing, nothing, 0, nothing, nothing, nothing, "")
    try:
        values, lost = _values(row, runs, node)
    except NotCheckable as reason:
        return replace(found, reason=f"{NOT_COMPARED}: {reason}")
    low, high, ours = map(float, estimate([values])[0])
    found = replace(found, low=low, high=high, ours=ours, n=len(values))
    if lost:
        return replace(found, reason=f"{NOT_COMPARED}: {lost}")
    if len(values) < FEWEST_SEEDS:
        few = f"the spread of fewer than {FEWEST_SEEDS} seeds says nothing"
        return replace(found, reason=f"{NOT_COMPARED}: {few}")
    n = int(node["n"])
    error = standard_error(row.spread, str(node["spread"]), n)
    difference = welch(values, row.mean, error, n, row.digits)
    return replace(found, allowed=difference.allowed, p=difference.p)


def _reason(item: Comparison, family: int, node: Mapping[str, Any]) -> str:
    """Return why a judged row differs, or agrees weakly; empty for one that agrees."""
    words = []
    if item.p < ALPHA:
        row, known = item.row, node.get("reasons") or {}
        keys = (f"{row.method}/{row.scenario}/{row.metric}", f"{row.method}/{row.scenario}", row.method)
        if item.word == WEAKLY:
            words.append(f"p < .05 by itself, not among {family} rows")
        words.append(next((str(known[key]) for key in keys if key in known), "no reason found yet"))
    elif item.word == WEAKLY:
        words.append(f"the difference is known to ±{item.allowed:.{item.row.digits}f} only")
    return "; ".join(words)


def _values(row: Published, runs: pd.DataFrame, node: Mapping[str, Any]) -> tuple[np.ndarray, str]:
    """Return our values of a row, one per finished seed, in the row's unit; and which seeds were lost."""
    if row.method not in node["of"]:
        raise NotCheckable("the study does not run it")
    conditions = {"stream.scenario": row.scenario, **node["of"][row.method]}
    if absent := [name for name in conditions if name not in runs]:
        raise NotCheckable(f"there are no finished runs of it: none has {', '.join(absent)}")
    rows = matching(runs, conditions)
    if rows.duplicated("seed").any():
        raise NotCheckable("several runs per seed fit it")
    pooled = (node.get("pooled") or {}).get(row.method)
    if pooled is not None and row.metric == "acc":
        rows = rows.assign(**{row.metric: _pooled(rows, pooled)})
    elif row.metric not in rows:
        raise NotCheckable(f"the runs have no column {row.metric}")
    lost = lost_seeds(rows, row.metric, rows["seed"])
    losses = f"{sum(map(len, lost.values()))} of {len(rows)} seeds lost: {reasons(lost)}" if lost else ""
    kept = rows.loc[has_value(rows, row.metric), row.metric].to_numpy(np.float64)
    if not len(kept):
        raise NotCheckable("there are no finished runs of it" + (f"; {losses}" if losses else ""))
    return kept * row.scale, losses


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
            **{name: getattr(item.row, name) for name in PRINTED},
            "published": item.row.mean,
            "published_spread": item.row.spread,
            **{name: float(getattr(item, name)) for name in NUMBERS},
            "n": item.n,
            "verdict": item.word,
            "reason": item.reason,
        }
        for item in comparisons
    ]
    path = Path(folder) / "published.csv"
    header = [*PRINTED, "published", "published_spread", *NUMBERS, "n", "verdict", "reason"]
    write_whole(path, row_bytes(header, rows))
    return path
