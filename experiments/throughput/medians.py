"""What the rows of measurements.csv and commands.csv say together: medians, shares of the limit, ratios."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

FAST_RUNS = 256
"""Runs at which the ratios to the peers are quoted."""


def summary(frame: pd.DataFrame, column: str = "step_us") -> pd.DataFrame:
    """Return median, smallest and largest of a column per contender, in the order of measurement."""
    grouped = frame.groupby("contender", sort=False)
    found = grouped[column].agg(["median", "min", "max", "count"])
    return found.join(grouped[["x", "lanes", "tasks", "long", "multiply_adds", "samples"]].first())


def of_workload(frame: pd.DataFrame, workload: str) -> pd.DataFrame:
    """Return the summary of everybody's steps on a workload."""
    return summary(frame[(frame.part == "steps") & (frame.workload == workload)])


def machine_rate(frame: pd.DataFrame, threads: float | None = None) -> float:
    """Return the multiply-adds a second of so many cores, all unless given; NaN where not measured."""
    rows = frame[(frame.part == "limits") & (frame.contender == "multiply_add")]
    rows = rows[rows.x == (rows.x.max() if threads is None else threads)]
    return 1e6 / rows.step_us.median() if len(rows) else float("nan")


def shares(found: pd.DataFrame, rate: float) -> pd.Series:
    """Return by contender which share of the machine's multiply-add rate the products of its steps make."""
    return found.multiply_adds / (found["median"] * 1e-6 * rate)


def setups(frame: pd.DataFrame) -> pd.Series:
    """Return by contender what is not steps, ms a run: setup, evaluation at the ends, consolidation."""
    steps = frame.short * frame.tasks * frame.step_us / 1e3
    return (frame.short_seconds * 1e3 / frame.lanes - steps).groupby(frame.contender, sort=False).median()


def reference(found: pd.DataFrame) -> pd.Series | None:
    """Return clbench's naive row at `FAST_RUNS` runs, or at the most below that were measured."""
    naive = found[found.index.str.startswith("clbench naive") & (found.lanes <= FAST_RUNS)]
    return naive.loc[naive.lanes.idxmax()] if len(naive) else None


def fastest(found: pd.DataFrame, start: str) -> float:
    """Return the least median of those whose name starts so; NaN where nobody's does."""
    return float(found["median"][found.index.str.startswith(start)].min())


def strategy_ratios(frame: pd.DataFrame, workload: str) -> pd.DataFrame:
    """Return per strategy its step's time and samples as multiples of naive's in a repetition: medians.

    Columns: `step`, `samples`, `sample` (the time of one, as a multiple).
    """
    rows = frame[(frame.part == "strategies") & (frame.workload == workload)]
    times = rows.pivot_table(index="repetition", columns="contender", values="step_us", sort=False)
    seen = rows.groupby("contender", sort=False).samples.median()
    if "naive" not in times:
        return pd.DataFrame(columns=["step", "samples", "sample"])
    step = times.div(times["naive"], axis=0).median()
    samples = seen / seen["naive"]
    found = pd.DataFrame({"step": step, "samples": samples, "sample": step / samples})
    return found.loc[list(rows.contender.unique())]


def point_costs(frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series, float]]:
    """Yield each recording with its cost beside the first one of its kind, which has the fewest points."""
    found = summary(frame[frame.part == "points"], "whole_us")
    for name, row in found.iterrows():
        kind = str(name).rsplit(", ", 1)[0]
        same = found[found.index.str.startswith(kind + ", ")]
        base = same.loc[same.x.idxmin()]["median"]
        yield str(name), row, row["median"] / base - 1


def launcher_costs(commands: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Yield each launcher's ms a run, and those that are Hydra's, by the difference of two sweeps."""
    for name, rows in commands[commands.kind == "launcher"].groupby("name", sort=False):
        medians = rows.groupby("runs").median(numeric_only=True)
        short, long = medians.index.min(), medians.index.max()
        if short < long:
            apart = (medians.loc[long] - medians.loc[short]) / (long - short) * 1e3
            rest = apart["seconds"] - apart[["train_seconds", "record_seconds", "report_seconds"]].sum()
            yield str(name), apart["seconds"], rest
