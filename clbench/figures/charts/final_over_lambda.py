"""Final values over λ: the metric that leads, a panel per task, and the distance from the anchor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from clbench.analysis.frames import column_of, rows_where
from clbench.figures import estimates as est
from clbench.figures.axes import new_axes, spans_decades
from clbench.figures.chart import Drawing, chart
from clbench.figures.layout import COLUMNS, panels_of_lines, write_title
from clbench.figures.plot_lambda import plot_lambda
from clbench.figures.scores import Scores
from clbench.figures.setting import Setting
from clbench.figures.words import how_read, quantity
from clbench.records.columns import Final

SHARED_SPAN = 1e4
"""Panels whose losses differ by a larger factor (a train loss of 0 beside the test loss) get own scales."""

SPLITS = {"train": "train", "val": "validation", "test": "test"}


@chart(
    "lambda_path", place=60, needs="a strategy with three values of λ", file=lambda setting, metric: "lambda"
)
def draw_lambda_path(setting: Setting, metric: str) -> Drawing | None:
    """Draw a final metric over λ, lines per variant.

    A panel per task (or first, last and mean of many); of a single task a panel per split.
    """
    tasks = setting.tasks
    panels = {f"task {task}": [Final("test", metric, task).column] for task in tasks}
    if len(tasks) > COLUMNS:
        panels = dict([*list(panels.items())[:1], *list(panels.items())[-1:]])
    if len(tasks) > 1:
        panels["mean over tasks"] = [Final("test", metric, task).column for task in tasks]
    else:
        panels = {
            f"{word} split": [Final(split, metric, task).column for task in tasks]
            for split, word in SPLITS.items()
        }
    title = f"Final {quantity(metric, setting.scores.loss)} over λ"
    return _over_lambda(setting, metric, panels, title, "Test split" if len(tasks) > 1 else "Every split")


@chart(
    "distance",
    place=80,
    needs="a strategy with an anchor and three values of λ",
    metrics=lambda setting: ["anchor_distance"] if setting.is_only else [],
)
def draw_distance(setting: Setting, metric: str) -> Drawing | None:
    """Draw how far the network ends from its anchor over λ (from 0, this is its norm)."""
    title = "Distance from the anchor over λ"
    return _over_lambda(setting, metric, {"‖θ − θ*‖": [metric]}, title, "After the last step")


def _over_lambda(
    setting: Setting, metric: str, panels: Mapping[str, Sequence[str]], title: str, where: str
) -> Drawing | None:
    """Take the estimates of every panel and lay them out; None where no variant has 3 λ or nothing is known.

    Args:
        setting: whose runs.
        metric: for the axis.
        panels: per title, columns of `runs` whose mean is drawn.
        title: of the drawing.
        where: the beginning of its caption.
    """
    swept, bounds, choice = setting.swept, setting.bounds, setting.choice
    curves, levels = {}, {}
    for name, columns in panels.items():
        if not set(columns) <= set(swept) or swept[columns].isna().to_numpy().all():
            continue
        curve = est.final_estimates(swept, columns, ["variant", "strategy", "lam"])
        curve = curve.rename(columns={"variant": "line"})
        points = zip(curve["line"], curve["lam"], strict=True)
        curves[name] = curve.assign(chosen=[lam in choice.lams.get(line, ()) for line, lam in points])
        levels[name] = est.final_estimates(bounds, columns, ["line", "strategy"])
    if not curves:
        return None
    how = how_read(next(iter(curves.values()))["n"])
    figure = _lay_out(setting.scores, metric, curves, levels)
    write_title(figure, title, f"{how}; rings mark the chosen λ", setting.name)
    level = "" if bounds.empty else " Level lines: strategies without λ."
    return Drawing(title, f"{where}; {how}.{level}{choice.words}", figure)


def _lay_out(
    scores: Scores, metric: str, curves: dict[str, pd.DataFrame], levels: dict[str, pd.DataFrame]
) -> Figure:
    """Lay out panels over λ; more lines than a panel holds get rows of their own.

    They share one scale, unless the panels lie so far apart that nothing could be read in them.
    """
    first = next(iter(curves.values())).drop_duplicates("line")
    groups = panels_of_lines(list(first["line"]), list(first["strategy"]), scores.bounds)
    size = (3.9, 3.2) if len(curves) > 1 else (6.2, 3.6)
    frames = [*curves.values(), *levels.values()]
    means = pd.concat([column_of(frame, "mean") for frame in frames])
    positive: pd.Series = means.loc[means > 0]
    shared = metric != "loss" or bool(positive.max() < SHARED_SPAN * positive.min())
    figure, axes = new_axes(len(groups), len(curves), size=size, sharey=shared)
    log = (metric in ("loss", "anchor_distance") and spans_decades(means)) if shared else None
    floor = 0.7 * float(positive.min()) if log else None
    for place, (group, name) in enumerate((group, name) for group in groups for name in curves):
        part = rows_where(curves[name], curves[name]["line"].isin(group))
        plot_lambda(
            part,
            levels[name],
            metric=metric,
            loss=scores.loss,
            log=log,
            floor=floor,
            looks=scores.looks,
            label_lines=place % len(curves) == len(curves) - 1,
            ax=axes[place],
        )
        axes[place].set_title(name)
        if place % len(curves):
            axes[place].set_ylabel("")
    return figure
