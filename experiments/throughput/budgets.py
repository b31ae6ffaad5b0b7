"""The budgets, each beside what was measured; a rerun of the benchmark fills them again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from contenders import DEFAULT_POINTS
from medians import (
    FAST_RUNS,
    fastest,
    machine_rate,
    of_workload,
    point_costs,
    strategy_ratios,
    summary,
)

COLUMNS = ("line", "budget", "measured", "ratio", "holds")

GROUPS = {
    "penalties": (("l2", "ewc", "mas"), "step", 1.1),
    "SI, RWalk": (("si", "rwalk"), "step", 1.3),
    "replay, a sample": (("er", "naive_rehearsal", "gdumb"), "sample", 1.2),
    "LwF, DER": (("lwf", "der"), "step", 1.6),
}
"""Strategies by what they may cost beside naive: column of `strategy_ratios`, and how often its cost."""

WALLS = {
    "help": 0.5,
    "bad value": 1.0,
    "main job (60 runs)": 3.0,
    "256 runs": 4.0,
    "1,000 runs": 10.0,
    "10,000 runs": 90.0,
}
"""Seconds from shell to prompt."""


@dataclass(frozen=True)
class Budget:
    """A line of the table.

    Args:
        line: what is asked.
        limit: at most, or with `least` at least.
        measured: NaN where it was not.
        unit: behind the numbers; `share` for those told as 1/n or in per cent.
    """

    line: str
    limit: float
    measured: float
    unit: str = "×"
    least: bool = False

    @property
    def ratio(self) -> float:
        """Measured by budget, or budget by measured where it is the least: 1 is the edge."""
        return self.limit / self.measured if self.least else self.measured / self.limit

    @property
    def holds(self) -> bool | None:
        """Return whether it is kept; None where it was not measured, or drowned in noise: a time below 0."""
        return self.ratio <= 1 if self.measured > 0 else None

    def row(self) -> dict[str, str]:
        """Return the cells by `COLUMNS`."""
        known = self.holds is not None
        return {
            "line": self.line,
            "budget": f"{'≥' if self.least else '≤'} {self._told(self.limit)}",
            "measured": self._told(self.measured) if known else "not measured",
            "ratio": f"{self.ratio:.2f}" if known else "",
            "holds": {True: "✅", False: "❌", None: ""}[self.holds],
        }

    def _told(self, value: float) -> str:
        if self.unit == "%":
            return f"{100 * value:.0f} %"
        if self.unit == "×":
            return f"1/{1 / value:.0f}" if 0 < value < 0.1 else f"{value:.2f}"
        return f"{value:.3g} {self.unit}"


def budgets(frame: pd.DataFrame, commands: pd.DataFrame) -> Iterator[Budget]:
    """Yield all lines of DESIGN §8 in their order."""
    yield from _small(of_workload(frame, "regression"), "1-64-64-1", 0.8, 130)
    yield from _small(of_workload(frame, "digits"), "64-64-64-10", 0.6, 90)
    yield from _large(of_workload(frame, "mnist"))
    yield from _products(frame)
    for workload in ("digits", "regression"):
        yield from _strategies(frame, workload)
    yield from _flat(frame)
    more = {name: more for name, row, more in point_costs(frame) if row["x"] == DEFAULT_POINTS}
    default = [value for name, value in more.items() if "default" in name]
    yield Budget(f"recording at {DEFAULT_POINTS} points a task, of training", 0.1, _only(default), "%")
    yield from _commands(commands)
    yield Budget("checkpoints, of training", 0.02, math.nan, "%")


def _only(values: list[float]) -> float:
    return float(values[0]) if values else math.nan


def _small(found: pd.DataFrame, net: str, of_jax: float, times: int) -> Iterator[Budget]:
    alone = fastest(found, "clbench naive, 1 run")
    yield Budget(f"{net}: 1 run by JAX's jit(scan)", of_jax, alone / fastest(found, "JAX jit(scan), 1 run"))
    company = fastest(found, f"clbench naive, {FAST_RUNS} runs")
    apart = found[found.index.str.startswith("JAX") & found.index.str.contains("processes")]
    share = float(apart["median"].min())
    for peer, most, theirs in (
        ("JAX's vmap", 0.5, fastest(found, "JAX jit(vmap")),
        ("a run's share of JAX processes, one a core", 0.75, share),
        ("Avalanche naive", 1 / times, fastest(found, "Avalanche naive")),
    ):
        yield Budget(f"{net}: {FAST_RUNS} runs by {peer}", most, company / theirs)


def _large(found: pd.DataFrame) -> Iterator[Budget]:
    net, jax = "784-400-400-10", fastest(found, "JAX jit(scan), 1 run")
    many = found[found.index.str.startswith("clbench naive") & (found.lanes > 1)]
    cases = (
        ("1 run", fastest(found, "clbench naive, 1 run"), jax),
        ("in company", float(many["median"].min()), min(jax, fastest(found, "JAX jit(vmap"))),
    )
    for case, own, theirs in cases:
        yield Budget(f"{net}: {case} by JAX", 0.75, own / theirs)
        yield Budget(f"{net}: {case} by Avalanche naive", 0.2, own / fastest(found, "Avalanche naive"))


def _products(frame: pd.DataFrame) -> Iterator[Budget]:
    found = summary(frame[frame.part == "products"])
    best = 1e6 / (found["median"] * machine_rate(frame, 1))
    for name, share in best.items():
        yield Budget(f"product {name}, of a core's multiply-add rate", 0.85, share, "%", least=True)
    if not len(best):
        yield Budget("products, of a core's multiply-add rate", 0.85, math.nan, "%", least=True)


def _strategies(frame: pd.DataFrame, workload: str) -> Iterator[Budget]:
    ratios = strategy_ratios(frame, workload)
    for group, (names, column, most) in GROUPS.items():
        for name in names:
            measured = ratios[column].get(name, math.nan)
            yield Budget(f"{group}: {name} by naive, {workload}", most, measured)


def _flat(frame: pd.DataFrame) -> Iterator[Budget]:
    lanes = summary(frame[(frame.part == "lanes") & (frame.lanes >= 64)], "whole_us")
    yield Budget("64 to 4,096 runs, dearest by cheapest", 1.2, lanes["median"].max() / lanes["median"].min())
    for kind in ("naive", "ewc"):
        rows = frame[(frame.part == "tasks") & frame.contender.str.startswith(kind)]
        found = summary(rows)["median"]
        yield Budget(f"2 to 50 tasks, {kind}, dearest by cheapest", 1.2, found.max() / found.min())


def _commands(commands: pd.DataFrame) -> Iterator[Budget]:
    whole = commands[commands.kind == "command"]
    for name, most in WALLS.items():
        yield Budget(f"command: {name}", most, float(whole.seconds[whole.name == name].median()), "s")
    peak = whole.peak_mb[whole.runs == 10_000].median() / 1e3
    yield Budget("command: 10,000 runs, memory", 2.0, float(peak), "GB")
