"""A picture per part, in the look of all others, from the CSV files alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from tables import TITLES, limit, point_costs, summary

from clbench.figures.axes import new_axes, set_log
from clbench.figures.looks import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from clbench.figures.style import save, styled

COLOURS = {"clbench": BLUE, "plain": GREY, "bare": GREY, "Avalanche": VERMILLION, "batched": GREEN}
PHASE_COLOURS = {"start": GREY, "compose": PURPLE, "train": BLUE, "record": ORANGE, "report": SKY}


def draw_all(folder: Path) -> None:
    """Draw every part that was measured, as PNG and SVG beside the tables."""
    measured, commands = folder / "measurements.csv", folder / "commands.csv"
    with styled():
        if measured.exists():
            frame = pd.read_csv(measured)
            parts = {"steps": _steps, "lanes": _lanes, "tasks": _tasks, "points": _points, "width": _width}
            for part, draw in parts.items():
                if (frame.part == part).any():
                    draw(frame[frame.part == part], folder / part)
        if commands.exists():
            _commands(pd.read_csv(commands), folder / "commands")


def _set_log_x(ax: Axes, low: float, high: float) -> None:
    """Make the x axis logarithmic; under two decades the powers of ten alone are too few ticks."""
    set_log(ax, "x")
    if 0 < high < 100 * low:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))


def _steps(frame: pd.DataFrame, path: Path) -> None:
    workloads = [name for name in TITLES if name in set(frame.workload)]
    rows = -(-len(workloads) // 2)
    figure, axes = new_axes(rows, min(2, len(workloads)), size=(6.4, 4.6))
    for ax in axes[len(workloads) :]:
        ax.set_axis_off()
    for ax, workload in zip(axes, workloads, strict=False):
        found = summary(frame[frame.workload == workload]).iloc[::-1]
        colours = [COLOURS[str(name).split()[0]] for name in found.index]
        places = range(len(found))
        ax.hlines(places, found["min"], found["max"], color=colours, linewidth=1.2)
        ax.scatter(found["median"], places, color=colours, s=18, zorder=3)
        ax.set_yticks(list(places), list(found.index), fontsize=7)
        _set_log_x(ax, found["min"].min(), found["max"].max())
        ax.set_xlabel("µs of a training step of one run (median, range)")
        ax.set_title(TITLES[workload])
    save(figure, path)


def _curve(ax: object, found: pd.DataFrame, label: str, colour: str) -> None:
    found = found.sort_values("x")
    ax.plot(found.x, found["median"], marker="o", color=colour, label=label)  # type: ignore[attr-defined]
    ax.fill_between(found.x, found["min"], found["max"], color=colour, alpha=0.2, lw=0)  # type: ignore[attr-defined]


def _lanes(frame: pd.DataFrame, path: Path) -> None:
    figure, (ax,) = new_axes()
    found = summary(frame, "whole_us")
    _curve(ax, found, "clbench", BLUE)
    ax.axhspan(found["median"].min(), 1.3 * found["median"].min(), color=GREY, alpha=0.15, lw=0)
    ax.text(
        found.x.max(), 1.3 * found["median"].min(), "1.3 times the least", ha="right", va="bottom", fontsize=7
    )
    _set_log_x(ax, found.x.min(), found.x.max())
    ax.set_ylim(bottom=0)
    ax.set_xlabel("runs trained together")
    ax.set_ylabel("µs of a step of one run, all included")
    ax.set_title("Two-task regression: cost over the number of runs")
    save(figure, path)


def _tasks(frame: pd.DataFrame, path: Path) -> None:
    figure, axes = new_axes(1, 2)
    titles = {"step_us": "Training alone", "whole_us": "With all tasks evaluated at every end"}
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for kind, colour in (("naive", VERMILLION), ("ewc", GREEN)):
            rows = frame[frame.contender.str.startswith(kind)]
            _curve(ax, summary(rows, column), kind, colour)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("tasks of permuted digits")
        ax.set_ylabel("µs of a step of one run")
        ax.set_title(title)
        ax.legend()
    save(figure, path)


def _points(frame: pd.DataFrame, path: Path) -> None:
    figure, (ax,) = new_axes()
    costs = [(name.rsplit(", ", 1)[0], row["x"], 100 * more) for name, row, more in point_costs(frame)]
    kinds = list(dict.fromkeys(kind for kind, _, _ in costs))
    for kind, colour in zip(kinds, (BLUE, ORANGE, VERMILLION), strict=False):
        mine = [(x, more) for name, x, more in costs if name == kind]
        ax.plot(*zip(*mine, strict=True), marker="o", color=colour, label=kind)
    ax.axhline(15, color=GREY, lw=0.8, ls="--")
    ax.set_xlabel("evaluation points a run")
    ax.set_ylabel("% more than at the ends of the tasks alone")
    ax.set_title("Two-task regression: cost of recording")
    ax.legend()
    save(figure, path)


def _width(frame: pd.DataFrame, path: Path) -> None:
    figure, (ax,) = new_axes()
    _curve(ax, summary(frame[frame.contender.str.startswith("width")]), "clbench, 64 runs", BLUE)
    widths = sorted(frame.x.unique())
    products = [limit(frame[frame.x == x], 2) for x in widths]
    ax.plot(widths, products, color=GREEN, ls="--", marker="o", label="batched products alone")
    _set_log_x(ax, widths[0], widths[-1])
    set_log(ax, "y")
    ax.set_xlabel("units of both hidden layers")
    ax.set_ylabel("µs of a training step of one run")
    ax.set_title("1-w-w-1: cost over the width")
    ax.legend()
    save(figure, path)


def _commands(frame: pd.DataFrame, path: Path) -> None:
    figure, (ax,) = new_axes(size=(6.4, 2.2))
    sweeps = frame[frame.kind == "sweep"]
    names = list(sweeps.name.unique())[::-1]
    left = dict.fromkeys(names, 0.0)
    for phase, colour in PHASE_COLOURS.items():
        values = [sweeps[sweeps.name == name][f"{phase}_seconds"].median() for name in names]
        ax.barh(names, values, left=[left[name] for name in names], color=colour, label=phase)
        left = {name: left[name] + value for name, value in zip(names, values, strict=True)}
    ax.set_xlabel("seconds from shell to prompt (medians)")
    ax.set_title("clbench -m, two-task regression, 400 steps a task")
    ax.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.35))
    save(figure, path)
