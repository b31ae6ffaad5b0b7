"""table.md and budgets.csv out of measurements.csv and commands.csv."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from budgets import COLUMNS as BUDGET_COLUMNS
from budgets import budgets
from commands import COLUMNS as COMMAND_COLUMNS
from comparison import COLUMNS
from medians import (
    launcher_costs,
    machine_rate,
    of_workload,
    point_costs,
    reference,
    setups,
    shares,
    strategy_ratios,
    summary,
)

TITLES = {
    "regression": "Two-task regression, 1-64-64-1, batch 32",
    "digits": "Split digits, 64-64-64-10, five tasks, batch 32",
    "mnist": "784-400-400-10, batch 128, two tasks on random data of MNIST's size",
    "linear": "Linear regression, 200-1, batch 10",
}


def read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return a CSV file, or a table without rows where there is none."""
    if path.exists():
        return pd.read_csv(path)
    words = [name for name in ("name", "contender") if name in columns]
    return pd.DataFrame(columns=list(columns)).astype(dict.fromkeys(words, str))


def write_tables(folder: Path) -> None:
    """Write table.md and budgets.csv from what lies in the folder."""
    frame = read(folder / "measurements.csv", COLUMNS)
    commands = read(folder / "commands.csv", COMMAND_COLUMNS)
    rows = [line.row() for line in budgets(frame, commands)]
    with (folder / "budgets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, BUDGET_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["# Throughput", *_budgets(rows), *_limits(frame)]
    parts: dict[str, Callable[[pd.DataFrame], Iterator[str]]] = {
        "steps": _steps,
        "strategies": _strategies,
        "products": _products,
        "lanes": _lanes,
        "tasks": _tasks,
        "points": _points,
        "width": _width,
    }
    for part, make in parts.items():
        if (frame.part == part).any():
            lines += make(frame)
    if len(commands):
        lines += _commands(commands)
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _number(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(value: float) -> str:
    return "" if pd.isna(value) else f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"


def _range(row: pd.Series) -> str:
    return f"{_number(row['min'])} to {_number(row['max'])}"


def _head(title: str, text: str, columns: tuple[str, ...]) -> list[str]:
    return ["", f"## {title}", "", text, "", _row(*columns), _row("---", *["---:"] * (len(columns) - 1))]


def _budgets(rows: list[dict[str, str]]) -> Iterator[str]:
    text = "Of medians. The ratio is measured by budget, for «≥» budget by measured: 1 is the edge."
    yield from _head("Budgets", text, ("what", "budget", "measured", "ratio", ""))
    for row in rows:
        yield _row(*row.values())


def _limits(frame: pd.DataFrame) -> Iterator[str]:
    if (rows := frame[frame.part == "limits"]).empty:
        return
    text = (
        "Fused multiply-adds of float32 in registers, nothing else; a copy of arrays larger than the caches."
    )
    yield from _head("The machine's limits", text, ("what", "median", "range"))
    for (name, threads), found in rows.groupby(["contender", "x"], sort=False):
        each = 1e-3 / found.step_us  # 10⁹ a second
        cores = "1 core" if threads == 1 else f"{int(threads)} cores"
        what, unit = (
            ("multiply-adds", "10⁹ a second")
            if name == "multiply_add"
            else ("copy", "GB/s, read and written")
        )
        yield _row(
            f"{what}, {cores}, {unit}",
            _number(each.median()),
            f"{_number(each.min())} to {_number(each.max())}",
        )


def _steps(frame: pd.DataFrame) -> Iterator[str]:
    rate = machine_rate(frame)
    steps = frame[frame.part == "steps"]
    for workload in steps.workload.unique():
        found = of_workload(frame, workload)
        own, share = reference(found), shares(found, rate)
        ratio = "–" if own is None else f"times clbench naive, {int(own.lanes)} runs"
        text = (
            "µs of a training step of one run, training alone: median, range over n repetitions. The share "
            "is that of the multiply-adds which all cores could have made in the time."
        )
        columns = ("who", "median", "range", "n", "share of the limit", ratio, "setup and ends, ms a run")
        yield from _head(TITLES[workload], text, columns)
        ends = setups(steps[steps.workload == workload])
        for name, row in found.iterrows():
            times = float("nan") if own is None else row["median"] / own["median"]
            setup = _number(ends[name]) if str(name).startswith("clbench") else ""
            cells = (_number(row["median"]), _range(row), int(row["count"]), _percent(share[name]))
            yield _row(name, *cells, _number(times), setup)


def _strategies(frame: pd.DataFrame) -> Iterator[str]:
    rate, rows = machine_rate(frame), frame[frame.part == "strategies"]
    for workload in rows.workload.unique():
        found = summary(rows[rows.workload == workload])
        ratios = strategy_ratios(frame, workload)
        text = (
            f"µs of a step, mean of two tasks, {int(found.lanes.iloc[0])} runs. Multiples of naive's step "
            "and sample are medians of those within a repetition; the share counts naive's products a sample."
        )
        columns = ("strategy", "median", "range", "times naive", "samples a step", "times naive, a sample")
        yield from _head(
            f"Strategies: {TITLES[workload].split(',')[0].lower()}", text, (*columns, "share of the limit")
        )
        share = shares(found, rate) * ratios.samples.reindex(found.index)
        for name, row in found.iterrows():
            times = (
                _number(ratios.step.get(name)),
                _number(row.samples),
                _number(ratios["sample"].get(name)),
            )
            yield _row(name, _number(row["median"]), _range(row), *times, _percent(share[name]))


def _products(frame: pd.DataFrame) -> Iterator[str]:
    text = "clbench's product on one core, rows × inner · inner × columns."
    columns = ("shape", "10⁹ multiply-adds a second", "of the core's rate")
    yield from _head("Products", text, columns)
    for name, row in summary(frame[frame.part == "products"]).iterrows():
        each = 1e6 / row["median"]
        yield _row(name, _number(each / 1e9), _percent(each / machine_rate(frame, 1)))


def _lanes(frame: pd.DataFrame) -> Iterator[str]:
    text = "Sweeps of 100 steps a task, setup and evaluation at the ends of the tasks included."
    columns = ("runs", "µs a step of one run", "range", "share of the limit")
    yield from _head("Cost per run over the number of runs", text, columns)
    found = summary(frame[frame.part == "lanes"], "whole_us")
    share = shares(found, machine_rate(frame))
    for name, row in found.iterrows():
        yield _row(name, _number(row["median"]), _range(row), _percent(share[name]))


def _tasks(frame: pd.DataFrame) -> Iterator[str]:
    columns = ("permuted digits", "µs a step of one run", "range", "share of the limit")
    yield from _head("Cost over tasks", "16 runs, training alone.", columns)
    found = summary(frame[frame.part == "tasks"])
    share = shares(found, machine_rate(frame))
    for name, row in found.iterrows():
        yield _row(name, _number(row["median"]), _range(row), _percent(share[name]))


def _points(frame: pd.DataFrame) -> Iterator[str]:
    text = "128 runs of 400 steps a task; against the same runs evaluated at the ends of the tasks alone."
    yield from _head("Cost over evaluation points", text, ("recording", "µs a step of one run", "more"))
    for name, row, more in point_costs(frame):
        yield _row(name, _number(row["median"]), f"{100 * more:+.0f} %")


def _width(frame: pd.DataFrame) -> Iterator[str]:
    columns = ("hidden units", "runs", "µs a step of one run", "range", "share of the limit")
    yield from _head("Cost over hidden width", "1-w-w-1, batch 32, training alone.", columns)
    found = summary(frame[frame.part == "width"])
    share = shares(found, machine_rate(frame))
    for name, row in found.iterrows():
        yield _row(int(row.x), int(row.lanes), _number(row["median"]), _range(row), _percent(share[name]))


def _commands(frame: pd.DataFrame) -> Iterator[str]:
    text = "From the shell to the prompt: seconds, median of n; the most memory that a process held."
    yield from _head("Whole commands", text, ("command", "seconds", "range", "n", "MB"))
    for name, rows in frame[frame.kind == "command"].groupby("name", sort=False):
        seconds = rows.seconds
        span = f"{_number(seconds.min())} to {_number(seconds.max())}"
        yield _row(name, _number(seconds.median()), span, len(rows), _number(rows.peak_mb.max()))
    phases = [column for column in frame.columns if column.endswith("_seconds")]
    names = [column.removesuffix("_seconds") for column in phases]
    text = "Seconds of one such command with a clock on its parts, which imports them beforehand."
    yield from _head("Where the time of a command goes", text, ("command", "wall", *names))
    for name, rows in frame[frame.kind == "phases"].groupby("name", sort=False):
        yield _row(name, *(_number(rows[column].median()) for column in ("seconds", *phases)))
    text = "ms a run, by the difference of two sweeps; the last column is composing, folders and files."
    yield from _head("The same sweep by Hydra's launchers", text, ("launcher", "ms a run", "Hydra's part"))
    for name, cost, rest in launcher_costs(frame):
        yield _row(name, _number(cost), "in other processes" if name == "joblib" else _number(rest))
