"""Seeds that a set of runs lost: what should be there and has no value, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from clbench.analysis.frames import finished

MISSING, NO_VALUE = "missing", "without a value"

Lost = Mapping[str, list[int]]
"""Seeds by reason: a status other than `done`, `without a value`, or `missing` (there is no run)."""


def lost_seeds(rows: pd.DataFrame, metric: str, seeds: Iterable[int]) -> Lost:
    """Return the seeds for which no run is done with a finite value, by reason.

    Args:
        rows: the runs of a set.
        metric: their column.
        seeds: that should be there.
    """
    found: dict[str, list[int]] = {}
    kept = set(rows.loc[has_value(rows, metric), "seed"])
    for seed in sorted(set(seeds) - kept):
        status = rows.loc[rows["seed"] == seed, "status"]
        reason = MISSING if status.empty else next((name for name in status if name != "done"), NO_VALUE)
        found.setdefault(reason, []).append(int(seed))
    return found


def has_value(rows: pd.DataFrame, metric: str) -> pd.Series:
    """Return which runs are done and have a finite value."""
    values = finished(rows, metric)
    return pd.Series(np.isfinite(values.to_numpy()), index=values.index)


def reasons(lost: Lost) -> str:
    """Return why seeds are lost: `diverged (seed 3), missing (seeds 4, 5)`."""
    return ", ".join(f"{reason} ({named_seeds(seeds)})" for reason, seeds in lost.items())


def named_seeds(numbers: Iterable[int]) -> str:
    """Return which seeds: `seed 3`, `seeds 0 to 4`, `seeds 0, 2, 7`."""
    ordered = sorted(numbers)
    if len(ordered) == 1:
        return f"seed {ordered[0]}"
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"seeds {ordered[0]} to {ordered[-1]}"
    return "seeds " + ", ".join(map(str, ordered))
