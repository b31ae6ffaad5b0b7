"""Pictures of what λ does: final values over λ, the front, the best λ over width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clbench.figures import estimates as est
from clbench.figures.choices import choose
from clbench.figures.front import plot_front
from clbench.figures.labels import quantity, seeds
from clbench.figures.lambda_path import plot_best_lambda, plot_lambda
from clbench.figures.layout import COLUMNS, Page, head, how_read, panels_of_lines
from clbench.figures.scores import REFERENCES, Scores, short_name, width_column
from clbench.figures.style import new_axes, spans_decades
from clbench.records.columns import Final, higher_is_better

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARED_SPAN = 1e4
"""Panels whose losses differ by a larger factor (a train loss of 0 beside the test loss) get own scales."""


def lambda_page(scores: Scores, setting: str) -> Page | None:
    """Draw the final metric over λ, lines per variant.

    A panel per task (or first, last and mean of many); of a single task a panel per split.
    """
    metric, tasks = scores.selection, scores.tasks_of(setting)
    panels = {f"task {task}": [Final("test", metric, task).column] for task in tasks}
    if len(tasks) > COLUMNS:
        panels = dict([*list(panels.items())[:1], *list(panels.items())[-1:]])
    if len(tasks) > 1:
        panels["mean over tasks"] = [Final("test", metric, task).column for task in tasks]
    else:
        splits = {"train": "train", "val": "validation", "test": "test"}
        panels = {f"{word} split": [Final(split, metric, tasks[0]).column] for split, word in splits.items()}
    title = f"Final {quantity(metric, scores.loss)} over λ"
    where = "Test split" if len(tasks) > 1 else "Every split"
    return _over_lambda(scores, setting, metric, panels, Page("lambda", title, where, None))


def distance_page(scores: Scores, setting: str) -> Page | None:
    """Draw how far the network ends from its anchor over λ (from 0, this is its norm)."""
    title = "Distance from the anchor over λ"
    page = Page("distance", title, "After the last step", None)
    return _over_lambda(scores, setting, "anchor_distance", {"‖θ − θ*‖": ["anchor_distance"]}, page)


def _over_lambda(
    scores: Scores, setting: str, metric: str, panels: dict[str, list[str]], page: Page
) -> Page | None:
    """Take the estimates of every panel and lay them out; None where no variant has 3 λ or nothing is known.

    Args:
        scores, setting: the runs.
        metric: for the axis.
        panels: per title, columns of `runs` whose mean is drawn.
        page: its name, title and the beginning of its caption.
    """
    runs = scores.of(setting)
    swept = runs[runs["lam"].notna()]
    swept = swept[swept.groupby("variant")["lam"].transform("nunique") >= 3]
    choice = choose(scores, setting)
    plain = runs[runs["lam"].isna() & runs["strategy"].isin(REFERENCES)]
    curves, levels = {}, {}
    for name, columns in panels.items():
        if not set(columns) <= set(runs) or swept[columns].isna().all(axis=None):
            continue
        curve = est.final_estimates(swept, columns, ["variant", "strategy", "lam"])
        curve = curve.rename(columns={"variant": "line"})
        chosen = [row.lam in choice.lams.get(row.line, ()) for row in curve.itertuples()]
        curves[name] = curve.assign(chosen=chosen)
        levels[name] = est.final_estimates(plain, columns, ["line", "strategy"])
    if not curves:
        return None
    counts = next(iter(curves.values()))["n"]
    figure = _lambda_figure(scores, metric, curves, levels)
    head(figure, page.title, f"{how_read(counts)}; rings mark the chosen λ", setting)
    level = "" if plain.empty else " Level lines: strategies without λ."
    caption = f"{page.caption}; {how_read(counts)}.{level}{choice.words}"
    return Page(page.name, page.title, caption, figure)


def _lambda_figure(
    scores: Scores, metric: str, curves: dict[str, pd.DataFrame], levels: dict[str, pd.DataFrame]
) -> Figure:
    """Lay out panels over λ; more lines than a panel holds get rows of their own.

    They share one scale, unless the panels lie so far apart that nothing could be read in them.
    """
    first = next(iter(curves.values())).drop_duplicates("line")
    groups = panels_of_lines(list(first["line"]), list(first["strategy"]))
    size = (3.9, 3.2) if len(curves) > 1 else (6.2, 3.6)
    frames = [*curves.values(), *levels.values()]
    means = pd.concat([frame["mean"] for frame in frames])
    positive = means[means > 0]
    shared = metric != "loss" or positive.max() < SHARED_SPAN * positive.min()
    figure, axes = new_axes(len(groups), len(curves), size=size, sharey=shared)
    log = (metric in ("loss", "anchor_distance") and spans_decades(means)) if shared else None
    floor = 0.7 * positive.min() if log else None
    for place, (group, name) in enumerate((group, name) for group in groups for name in curves):
        part = curves[name][curves[name]["line"].isin(group)]
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


def front_page(scores: Scores, setting: str) -> Page | None:
    """Draw the front between the old tasks and the last one over λ, naive and joint as end points."""
    runs, tasks = scores.of(setting), scores.tasks_of(setting)
    swept = runs[runs["lam"].notna()]
    swept = swept[swept.groupby("variant")["lam"].transform("nunique") >= 3]
    if swept.empty or len(tasks) < 2:
        return None
    metric = scores.selection
    old = [Final("test", metric, task).column for task in tasks[:-1]]
    new = [Final("test", metric, tasks[-1]).column]
    by = ["variant", "strategy", "lam"]
    path = est.front_estimates(swept, old, new, by).rename(columns={"variant": "line"})
    plain = runs[runs["lam"].isna() & runs["strategy"].isin(REFERENCES)]
    ends = est.front_estimates(plain, old, new, ["line", "strategy"])
    name = quantity(metric, scores.loss)
    before = f"task {tasks[0]}" if len(tasks) == 2 else f"tasks {tasks[0]} to {tasks[-2]} (mean)"
    figure, axes = new_axes(size=(5.4, 4.4))
    better = "upper right" if higher_is_better(metric) else "lower left"
    plot_front(
        path,
        ends,
        x_label=f"{name}, {before}",
        y_label=f"{name}, task {tasks[-1]}",
        lower_is_better=not higher_is_better(metric),
        looks=scores.looks,
        ax=axes[0],
    )
    title = "Stability against plasticity over λ"
    head(figure, title, f"{how_read(path['n'])}; better is {better}", setting)
    return Page(
        "front", title, f"Test split after the last stage; {how_read(path['n'])}; better is {better}.", figure
    )


def best_lambda_page(scores: Scores) -> Page | None:
    """Draw which λ is best at every width, a line per variant."""
    column = width_column(scores)
    if column is None:
        return None
    best = est.best_lambda_estimates(scores, column)
    if best["width"].nunique() < 2:
        return None
    figure, axes = new_axes(size=(5.6, 3.8))
    plot_best_lambda(
        best,
        x_label=short_name(column, (column,)).replace("_", " "),
        lams=scores.runs["lam"].dropna().unique(),
        looks=scores.looks,
        ax=axes[0],
    )
    title = "Best λ over width"
    head(figure, title, f"over {seeds(best['n'])}; bars span the λ that may be best as well")
    bars = "bars: the λ that no paired t test tells from it (95 %)"
    caption = f"λ with the best mean over {seeds(best['n'])}; {bars}."
    return Page("best_lambda", title, caption, figure)
