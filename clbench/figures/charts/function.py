"""What a one-input regression learned: the data of every task and the function after every stage."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from clbench.analysis.frames import groups, rows_where
from clbench.figures.axes import axes_or_new, new_axes
from clbench.figures.chart import Drawing, chart
from clbench.figures.layout import COLUMNS, tidy_grid, write_title
from clbench.figures.looks import BLACK, DASHED, GREY, TASK_COLOURS, ink
from clbench.figures.setting import Setting
from clbench.figures.words import literal


def plot_function(
    function: pd.DataFrame, data: pd.DataFrame, *, split: str = "train", ax: Axes | None = None
) -> Axes:
    """Draw the samples of a run and its function after every stage; the last one is black.

    Args:
        function: `stage, x, prediction`.
        data: `task, split, x, y`.
        split: whose samples are drawn.
        ax: axes to draw on, None for new ones.

    Returns:
        the axes; the functions are the lines `after <task>`, the samples the collections `data of <task>`.
    """
    ax = axes_or_new(ax)
    tasks = [str(task) for task in data["task"].unique()]
    shown = rows_where(data, data["split"] == split)
    for place, task in enumerate(tasks):
        samples = rows_where(shown, shown["task"].astype(str) == task)
        colour = TASK_COLOURS[place % len(TASK_COLOURS)]
        ax.scatter(
            samples["x"], samples["y"], s=9, color=colour, alpha=0.45, linewidths=0, label=f"data of {task}"
        )
    stages = sorted(function["stage"].unique())
    for stage in stages:
        part = rows_where(function, function["stage"] == stage).sort_values("x")
        last = stage == stages[-1]
        name = tasks[int(stage)] if int(stage) < len(tasks) else str(stage)
        ax.plot(
            part["x"],
            part["prediction"],
            color=BLACK if last else GREY,
            linestyle="-" if last else DASHED,
            linewidth=1.8 if last else 1.4,
            label=f"after {name}",
        )
    ax.set_ylim(*visible_range(function, shown))
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    return ax


def visible_range(function: pd.DataFrame, samples: pd.DataFrame) -> tuple[float, float]:
    """Return the limits of y: all samples, and the functions as far as they stay near them.

    What a network says far from its data may be very large; beyond 60 % of the samples' range on either side
    it is cut off.
    """
    y, prediction = samples["y"].to_numpy(dtype=float), function["prediction"].to_numpy(dtype=float)
    low, high = float(np.nanmin(y)), float(np.nanmax(y))
    span = (high - low) or 1.0
    lowest = max(min(low, float(np.nanmin(prediction))), low - 0.6 * span)
    highest = min(max(high, float(np.nanmax(prediction))), high + 0.6 * span)
    return lowest - 0.08 * span, highest + 0.2 * span  # above them stand the tasks' names


def name_tasks(ax: Axes, data: pd.DataFrame) -> None:
    """Write every task's name in its colour above its range of x."""
    for place, (task, part) in enumerate(groups(data, "task")):
        ax.annotate(
            task,
            ((part["x"].min() + part["x"].max()) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontweight="bold",
            color=ink(TASK_COLOURS[place % len(TASK_COLOURS)]),
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )


CHOSEN_ON = {"val": " (best on validation)", "test": " (oracle: best on test)"}


@chart("function", place=50, needs="a regression with one input and one output")
def draw_function(setting: Setting, metric: str) -> Drawing | None:
    """Draw the data and what was learned of them after every stage, of one seed, a panel per strategy."""
    choice, place = setting.choice, setting.run_folder
    runs = rows_where(choice.runs, [(place(run) / "function.csv").is_file() for run in choice.runs["run"]])
    if runs.empty:
        return None
    seed = runs.groupby("seed")["line"].nunique().sort_index(kind="stable").idxmax()
    runs = rows_where(runs, runs["seed"] == seed).drop_duplicates("line")
    columns = min(len(runs), COLUMNS)
    figure, axes = new_axes(ceil(len(runs) / columns), columns, size=(3.7, 3.0), sharex=True, sharey=True)
    titles = setting.scores.runs.loc[runs.index, "line"]
    limits = []
    for ax, run, variant, title in zip(axes, runs["run"], runs["variant"], titles, strict=False):
        data = pd.read_csv(place(run) / "data.csv", dtype={"task": str}, na_filter=False)
        data["task"] = data["task"].map(literal)
        plot_function(pd.read_csv(place(run) / "function.csv"), data, ax=ax)
        limits.append(ax.get_ylim())
        name_tasks(ax, data)
        ax.set_title(title + (CHOSEN_ON[choice.split] if variant in choice.lams else ""))
    axes[0].set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    tidy_grid(axes, len(runs), columns)
    handles = [item for item in axes[0].get_lines() if str(item.get_label()).startswith("after")]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    title = "What was learned of A and B" if len(setting.scores.tasks) == 2 else "What was learned"
    write_title(figure, title, f"training data and network of seed {seed}", setting.name)
    caption = f"Training data (dots) and the function after every stage, seed {seed}.{choice.words}"
    return Drawing(title, caption, figure)
