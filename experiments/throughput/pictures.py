"""A picture per part, in the look of all others, from the CSV files alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from medians import machine_rate, of_workload, point_costs, shares, strategy_ratios, summary
from tables import TITLES

from clbench.figures.axes import new_axes, set_log
from clbench.figures.looks import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from clbench.figures.style import save, styled

COLOURS = {"clbench": BLUE, "plain": GREY, "bare": GREY, "Avalanche": VERMILLION, "JAX": GREEN}
PHASE_COLOURS = {"start": GREY, "compose": PURPLE, "train": BLUE, "record": ORANGE, "report": SKY}
FLAT = 1.2
"""Dearest by cheapest that counts as flat."""


def draw_all(folder: Path) -> None:
    """Draw every part that was measured, as PNG and SVG beside the tables."""
    measured, commands = folder / "measurements.csv", folder / "commands.csv"
    parts = {
        "steps": draw_steps,
        "strategies": draw_strategies,
        "lanes": draw_lanes,
        "tasks": draw_tasks,
        "points": draw_points,
        "width": draw_width,
    }
    with styled():
        if measured.exists():
            frame = pd.read_csv(measured)
            for part, draw in parts.items():
                if (frame.part == part).any():
                    draw(frame, folder / part)
            if (frame.part == "steps").any():
                draw_shares(frame, folder / "shares")
        if commands.exists() and len(found := pd.read_csv(commands)):
            draw_commands(found[found.kind == "phases"], folder / "commands")


def _set_log_x(ax: Axes, low: float, high: float) -> None:
    """Make the x axis logarithmic; under two decades the powers of ten alone are too few ticks."""
    set_log(ax, "x")
    if 0 < high < 100 * low:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))


def _workload_axes(frame: pd.DataFrame) -> tuple[object, list[tuple[str, Axes]]]:
    """Return a figure, and the axes of every workload of the steps."""
    steps = frame[frame.part == "steps"]
    workloads = [name for name in TITLES if name in set(steps.workload)]
    rows = -(-len(workloads) // 2)
    figure, axes = new_axes(rows, min(2, len(workloads)), size=(6.4, 4.6))
    for ax in axes[len(workloads) :]:
        ax.set_axis_off()
    return figure, list(zip(workloads, axes, strict=False))


def _colours(found: pd.DataFrame) -> list[str]:
    return [COLOURS[str(name).split()[0]] for name in found.index]


def draw_steps(frame: pd.DataFrame, path: Path) -> None:
    """Draw everybody's step, a panel a workload."""
    figure, axes = _workload_axes(frame)
    for workload, ax in axes:
        found = of_workload(frame, workload).iloc[::-1]
        places = range(len(found))
        ax.hlines(places, found["min"], found["max"], color=_colours(found), linewidth=1.2)
        ax.scatter(found["median"], places, color=_colours(found), s=18, zorder=3)
        ax.set_yticks(list(places), list(found.index), fontsize=7)
        _set_log_x(ax, found["median"].min(), found["median"].max())
        ax.set_xlabel("µs of a training step of one run (median, range)")
        ax.set_title(TITLES[workload])
    save(figure, path)


def draw_shares(frame: pd.DataFrame, path: Path) -> None:
    """Draw everybody's share of the machine's multiply-add rate."""
    figure, axes = _workload_axes(frame)
    for workload, ax in axes:
        found = of_workload(frame, workload).iloc[::-1]
        ax.barh(list(found.index), 100 * shares(found, machine_rate(frame)), color=_colours(found))
        ax.tick_params(axis="y", labelsize=7)
        ax.set_xlim(0, 100)
        ax.set_xlabel("% of all cores' multiply-add rate")
        ax.set_title(TITLES[workload])
    save(figure, path)


def draw_strategies(frame: pd.DataFrame, path: Path) -> None:
    """Draw every strategy's step beside naive's, and its sample."""
    workloads = list(frame[frame.part == "strategies"].workload.unique())
    figure, axes = new_axes(1, len(workloads), size=(6.4, 4.6))
    for ax, workload in zip(axes, workloads, strict=True):
        ratios = strategy_ratios(frame, workload).iloc[::-1]
        ax.scatter(ratios["step"], ratios.index, color=BLUE, label="a step", zorder=3)
        ax.scatter(ratios["sample"], ratios.index, color=ORANGE, marker="x", label="a sample", zorder=4)
        ax.axvline(1, color=GREY, lw=0.8, ls="--")
        _set_log_x(ax, ratios.min().min(), ratios.max().max())
        ax.set_xlabel("times naive's (mean of two tasks)")
        ax.set_title(TITLES[workload].split(",")[0])
        ax.legend()
    save(figure, path)


def _curve(ax: Axes, found: pd.DataFrame, label: str, colour: str) -> None:
    found = found.sort_values("x")
    ax.plot(found.x, found["median"], marker="o", color=colour, label=label)
    ax.fill_between(found.x, found["min"], found["max"], color=colour, alpha=0.2, lw=0)


def draw_lanes(frame: pd.DataFrame, path: Path) -> None:
    """Draw the cost of a run over how many there are."""
    figure, (ax,) = new_axes()
    found = summary(frame[frame.part == "lanes"], "whole_us")
    _curve(ax, found, "clbench", BLUE)
    low = found["median"].min()
    ax.axhspan(low, FLAT * low, color=GREY, alpha=0.15, lw=0)
    ax.text(found.x.max(), FLAT * low, f"{FLAT} times the least", ha="right", va="bottom", fontsize=7)
    _set_log_x(ax, found.x.min(), found.x.max())
    ax.set_ylim(bottom=0)
    ax.set_xlabel("runs trained together")
    ax.set_ylabel("µs of a step of one run, all included")
    ax.set_title("Two-task regression: cost over the number of runs")
    save(figure, path)


def draw_tasks(frame: pd.DataFrame, path: Path) -> None:
    """Draw the cost of a step over the tasks of the stream."""
    figure, (ax,) = new_axes()
    for kind, colour in (("naive", VERMILLION), ("ewc", GREEN)):
        rows = frame[(frame.part == "tasks") & frame.contender.str.startswith(kind)]
        _curve(ax, summary(rows), kind, colour)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("tasks of permuted digits")
    ax.set_ylabel("µs of a training step of one run")
    ax.set_title("Permuted digits, 16 runs: cost over tasks")
    ax.legend()
    save(figure, path)


def draw_points(frame: pd.DataFrame, path: Path) -> None:
    """Draw what recording costs."""
    figure, (ax,) = new_axes()
    costs = [(name.rsplit(", ", 1)[0], row["x"], 100 * more) for name, row, more in point_costs(frame)]
    kinds = list(dict.fromkeys(kind for kind, _, _ in costs))
    for kind, colour in zip(kinds, (BLUE, ORANGE, VERMILLION), strict=False):
        mine = [(x, more) for name, x, more in costs if name == kind]
        ax.plot(*zip(*mine, strict=True), marker="o", color=colour, label=kind)
    ax.axhline(10, color=GREY, lw=0.8, ls="--")
    ax.set_xlabel("evaluation points a task")
    ax.set_ylabel("% more than at the ends of the tasks alone")
    ax.set_title("Two-task regression: cost of recording")
    ax.legend()
    save(figure, path)


def draw_width(frame: pd.DataFrame, path: Path) -> None:
    """Draw the cost of a step over the hidden layers' width, beside its products at the machine's rate."""
    figure, (ax,) = new_axes()
    found = summary(frame[frame.part == "width"]).sort_values("x")
    _curve(ax, found, "clbench", BLUE)
    limit = 1e6 * found.multiply_adds / machine_rate(frame)
    ax.plot(found.x, limit, color=GREEN, ls="--", marker="o", label="products at the machine's rate")
    _set_log_x(ax, found.x.min(), found.x.max())
    set_log(ax, "y")
    ax.set_xlabel("units of both hidden layers")
    ax.set_ylabel("µs of a training step of one run")
    ax.set_title("1-w-w-1: cost over the width")
    ax.legend()
    save(figure, path)


def draw_commands(frame: pd.DataFrame, path: Path) -> None:
    """Draw where the time of whole commands goes."""
    figure, (ax,) = new_axes(size=(6.4, 2.2))
    names = list(frame.name.unique())[::-1]
    left = dict.fromkeys(names, 0.0)
    for phase, colour in PHASE_COLOURS.items():
        values = [frame[frame.name == name][f"{phase}_seconds"].median() for name in names]
        ax.barh(names, values, left=[left[name] for name in names], color=colour, label=phase)
        left = {name: left[name] + value for name, value in zip(names, values, strict=True)}
    ax.set_xlabel("seconds from shell to prompt")
    ax.set_title("Whole commands, two-task regression, 400 steps a task")
    ax.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.35))
    save(figure, path)
