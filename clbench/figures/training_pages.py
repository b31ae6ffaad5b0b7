"""Pictures of the course of training: losses, scores, the matrix R, what was learned."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil
from pathlib import Path

import pandas as pd

from clbench.figures import estimates as est
from clbench.figures.choices import Choice, choose
from clbench.figures.curves import lowest, plot_curves, plot_tasks
from clbench.figures.function import name_tasks, plot_function
from clbench.figures.labels import literal, quantity, seeds
from clbench.figures.layout import (
    COLUMNS,
    PANELS,
    Page,
    evenly,
    head,
    how_read,
    name_lines,
    panels_of_lines,
    switches,
    tidy_grid,
)
from clbench.figures.matrix import plot_matrix, scale_of
from clbench.figures.scores import Scores
from clbench.figures.style import new_axes, spans_decades
from clbench.records.columns import higher_is_better


def _shown(
    scores: Scores, setting: str, metric: str
) -> tuple[pd.DataFrame, dict[str, tuple[float, float]], str, Choice]:
    """Return the curves of a setting, the spans of its stages, what the axis counts, and how λ was chosen."""
    choice = choose(scores, setting)
    losses, counted = est.along_stages(scores.losses[scores.losses["run"].isin(choice.runs["run"])])
    curves = est.curve_estimates(losses, choice.runs, metric)
    stages = est.stage_spans(losses, scores.tasks_of(setting))
    return curves, stages, counted, choice


def task_page(scores: Scores, setting: str, task: str, metric: str = "loss") -> Page | None:
    """Draw a metric on one task over the whole training, a line per strategy."""
    curves, stages, counted, choice = _shown(scores, setting, metric)
    curves = curves[curves["task"] == task]
    if curves.empty:
        return None
    first = curves.drop_duplicates("line")
    groups = panels_of_lines(list(first["line"]), list(first["strategy"]))
    columns = min(len(groups), 2)
    log = metric == "loss" and spans_decades(curves["mean"])
    floor = lowest(curves) if log else None
    size = (6.8, 3.8) if columns == 1 else (5.8, 3.5)
    figure, axes = new_axes(ceil(len(groups) / columns), columns, size=size, sharey=True)
    loss, looks = scores.loss, choice.looks
    for ax, group in zip(axes, groups, strict=False):
        part = curves[curves["line"].isin(group)]
        plot_curves(part, stages, counted, metric=metric, loss=loss, log=log, floor=floor, looks=looks, ax=ax)
    tidy_grid(axes, len(groups), columns)
    title = f"{_word(metric)} on task {task} over the whole training"
    head(figure, title, how_read(first["n"]), setting)
    caption = f"Test split; {how_read(first['n'])}. {switches(first['strategy'])}{choice.words}"
    is_plain = re.fullmatch(r"[A-Za-z0-9.-]+", task) and task != "tasks"
    return Page(f"{metric}_{task}" if is_plain else f"{metric}_first", title, caption, figure)


def _word(metric: str) -> str:
    return "Loss" if metric == "loss" else quantity(metric).capitalize()


def tasks_page(scores: Scores, setting: str, metric: str) -> Page | None:
    """Draw small multiples of a metric over the whole training, a panel per task."""
    curves, stages, counted, choice = _shown(scores, setting, metric)
    if curves.empty or (len(stages) == 1 and metric == "loss"):  # that is the first task's page
        return None
    first = curves.drop_duplicates("line")
    groups = panels_of_lines(list(first["line"]), list(first["strategy"]))
    tasks = [list(stages)[place] for place in evenly(len(stages), PANELS)]
    columns = min(len(tasks), COLUMNS)
    rows = ceil(len(tasks) / columns)
    figure, axes = new_axes(rows * len(groups), columns, size=(3.6, 2.7), sharey=True, sharex=True)
    for place, group in enumerate(groups):
        panels = axes[place * rows * columns : (place + 1) * rows * columns]
        part = curves[curves["line"].isin(group)]
        plot_tasks(part, tasks, stages, panels, counted, metric=metric, loss=scores.loss, looks=choice.looks)
        name_lines(panels, len(tasks), columns)
        tidy_grid(panels, len(tasks), columns)
    title = f"{_word(metric)} on every task over the whole training"
    head(figure, title, how_read(first["n"]), setting)
    some = f" {len(tasks)} of {len(stages)} tasks are shown." if len(tasks) < len(stages) else ""
    caption = (
        f"Test split; {how_read(first['n'])}. The bold name above a panel is its own task being trained. "
        f"{switches(first['strategy'])}{some}{choice.words}"
    )
    return Page(f"{metric}_tasks", title, caption, figure)


def matrix_page(scores: Scores, setting: str) -> Page | None:
    """Draw R as a heat map per strategy, all on one colour scale."""
    choice = choose(scores, setting)
    runs = choice.runs
    tasks = scores.tasks_of(setting)
    metric = scores.selection
    panels = est.matrices(scores.losses, runs, tasks, metric)
    if not panels or len(tasks) < 2:
        return None
    lower = not higher_is_better(metric)
    unit = metric != "loss"
    scale = scale_of(list(panels.values()), lower_is_better=lower, unit=unit)
    columns = min(len(panels), 4)
    cells = min(3.4, 1.6 + 0.33 * len(tasks))
    width = max(cells, 0.3 + 0.085 * max(map(len, panels)))  # so that long titles don't meet
    figure, axes = new_axes(ceil(len(panels) / columns), columns, size=(width, cells + 0.25))
    for ax, (line, matrix) in zip(axes, panels.items(), strict=False):
        plot_matrix(matrix, tasks, tasks, scale=scale, lower_is_better=lower, unit=unit, ax=ax)
        ax.set_title(line)
    tidy_grid(axes, len(panels), columns)
    for place, ax in enumerate(axes[: len(panels)]):
        if place % columns:
            ax.set_ylabel("")
    counts = runs.groupby("line")["run"].count()
    title = f"R: {quantity(metric, scores.loss)} on every task after every stage"
    head(figure, title, f"mean over {seeds(counts)}; dark is good", setting)
    caption = f"Test split, mean over {seeds(counts)}; dark is good.{choice.words}"
    return Page("matrix", title, caption, figure)


def function_page(scores: Scores, setting: str, place: Callable[[str], Path]) -> Page | None:
    """Draw data and learned functions of a one-dimensional regression for one seed, a panel per strategy.

    Args:
        scores: the runs.
        setting: whose.
        place: gives a run's folder.
    """
    choice = choose(scores, setting)
    runs = choice.runs
    runs = runs[[(place(run) / "function.csv").is_file() for run in runs["run"]]]
    if runs.empty:
        return None
    seed = runs.groupby("seed")["line"].nunique().sort_index(kind="stable").idxmax()
    runs = runs[runs["seed"] == seed].drop_duplicates("line")
    columns = min(len(runs), COLUMNS)
    figure, axes = new_axes(ceil(len(runs) / columns), columns, size=(3.7, 3.0), sharex=True, sharey=True)
    limits = []
    for ax, row in zip(axes, runs.itertuples(), strict=False):
        data = pd.read_csv(place(row.run) / "data.csv", dtype={"task": str}, na_filter=False)
        data["task"] = data["task"].map(literal)
        plot_function(pd.read_csv(place(row.run) / "function.csv"), data, ax=ax)
        limits.append(ax.get_ylim())
        name_tasks(ax, data)
        words = {"val": " (best on validation)", "test": " (oracle: best on test)"}[choice.split]
        ax.set_title(scores.runs.loc[row.Index, "line"] + (words if row.variant in choice.lams else ""))
    axes[0].set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    tidy_grid(axes, len(runs), columns)
    handles = [item for item in axes[0].get_lines() if item.get_label().startswith("after")]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    title = "What was learned of A and B" if len(scores.tasks) == 2 else "What was learned"
    head(figure, title, f"training data and network of seed {seed}", setting)
    caption = f"Training data (dots) and the function after every stage, seed {seed}.{choice.words}"
    return Page("function", title, caption, figure)
