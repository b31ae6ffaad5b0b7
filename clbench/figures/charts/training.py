"""The course of training: a metric on the first task, and on every task, over all stages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil

from clbench.analysis.frames import rows_where
from clbench.figures.axes import new_axes, spans_decades
from clbench.figures.chart import Drawing, chart
from clbench.figures.layout import (
    COLUMNS,
    PANELS,
    add_legend,
    evenly,
    panels_of_lines,
    tidy_grid,
    write_title,
)
from clbench.figures.plot_curves import lowest, plot_curves, plot_tasks
from clbench.figures.setting import Setting
from clbench.figures.words import how_read, how_stages_read, title_word


def _first_task_file(setting: Setting, metric: str) -> str:
    """Return `loss_A`, or `loss_first` where the task's name does not make a file's."""
    task = setting.tasks[0]
    is_plain = re.fullmatch(r"[A-Za-z0-9.-]+", task) and task != "tasks"
    return f"{metric}_{task}" if is_plain else f"{metric}_first"


@chart(
    "loss",
    place=20,
    needs="the runs' own losses.csv",
    metrics=lambda setting: ["loss"],
    file=_first_task_file,
)
def draw_task(setting: Setting, metric: str, task: str | None = None) -> Drawing | None:
    """Draw a metric on one task, the first by default, over the whole training, a line per strategy."""
    task = setting.tasks[0] if task is None else task
    found = setting.curves(metric)
    curves = rows_where(found.estimates, found.estimates["task"] == task)
    if curves.empty:
        return None
    first = curves.drop_duplicates("line")
    groups = panels_of_lines(list(first["line"]), list(first["strategy"]), setting.scores.bounds)
    columns = min(len(groups), 2)
    log = metric == "loss" and spans_decades(curves["mean"])
    floor = lowest(curves) if log else None
    size = (6.8, 3.8) if columns == 1 else (5.8, 3.5)
    figure, axes = new_axes(ceil(len(groups) / columns), columns, size=size, sharey=True)
    for ax, group in zip(axes, groups, strict=False):
        plot_curves(
            rows_where(curves, curves["line"].isin(group)),
            found.stages,
            found.counted,
            metric=metric,
            loss=setting.scores.loss,
            log=log,
            floor=floor,
            looks=setting.choice.looks,
            ax=ax,
        )
    tidy_grid(axes, len(groups), columns)
    title = f"{title_word(metric)} on task {task} over the whole training"
    write_title(figure, title, how_read(first["n"]), setting.name)
    caption = (
        f"Test split; {how_read(first['n'])}. {how_stages_read(setting.has_joint)}{setting.choice.words}"
    )
    return Drawing(title, caption, figure)


def _metrics_of_tasks(setting: Setting) -> Sequence[str]:
    """Return the metric that leads, and before it the loss where one setting alone is drawn."""
    score = setting.scores.selection
    return ["loss", score] if setting.is_only and score != "loss" else [score]


@chart(
    "tasks",
    place=30,
    needs="two tasks and the runs' own losses.csv",
    metrics=_metrics_of_tasks,
    file=lambda setting, metric: f"{metric}_tasks",
)
def draw_tasks(setting: Setting, metric: str) -> Drawing | None:
    """Draw a metric on every task over the whole training, a panel per task."""
    found = setting.curves(metric)
    curves, stages = found.estimates, found.stages
    if curves.empty or (len(stages) == 1 and metric == "loss"):  # that is the first task's picture
        return None
    first = curves.drop_duplicates("line")
    groups = panels_of_lines(list(first["line"]), list(first["strategy"]), setting.scores.bounds)
    tasks = [list(stages)[place] for place in evenly(len(stages), PANELS)]
    columns = min(len(tasks), COLUMNS)
    rows = ceil(len(tasks) / columns)
    figure, axes = new_axes(rows * len(groups), columns, size=(3.6, 2.7), sharey=True, sharex=True)
    loss, looks = setting.scores.loss, setting.choice.looks
    for place, group in enumerate(groups):
        panels = axes[place * rows * columns : (place + 1) * rows * columns]
        part = rows_where(curves, curves["line"].isin(group))
        plot_tasks(part, tasks, stages, panels, found.counted, metric=metric, loss=loss, looks=looks)
        add_legend(panels, len(tasks), columns)
        tidy_grid(panels, len(tasks), columns)
    title = f"{title_word(metric)} on every task over the whole training"
    write_title(figure, title, how_read(first["n"]), setting.name)
    some = f" {len(tasks)} of {len(stages)} tasks are shown." if len(tasks) < len(stages) else ""
    caption = (
        f"Test split; {how_read(first['n'])}. The bold name above a panel is its own task being trained. "
        f"{how_stages_read(setting.has_joint)}{some}{setting.choice.words}"
    )
    return Drawing(title, caption, figure)
