"""The front between stability and plasticity, traced by λ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from clbench.analysis.frames import column_of, groups
from clbench.figures import estimates as est
from clbench.figures.axes import axes_or_new, new_axes, set_log, spans_decades
from clbench.figures.chart import Drawing, chart
from clbench.figures.layout import write_title
from clbench.figures.looks import MANY, MARKERS, Look, ink, line_look
from clbench.figures.setting import Setting
from clbench.figures.words import how_read, number_text, quantity
from clbench.records.columns import Final, higher_is_better


def plot_front(
    estimates: pd.DataFrame,
    bounds: pd.DataFrame,
    *,
    x_label: str,
    y_label: str,
    lower_is_better: bool = True,
    looks: Mapping[str, Look] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw stability against plasticity: a path over λ from naive's end to a frozen network's.

    Args:
        estimates: `line, strategy, lam, x, x_low, x_high, y, y_low, y_high`.
        bounds: the same without `lam`, one row per strategy without λ.
        x_label, y_label: of the axes.
        lower_is_better: which corner is the good one.
        looks: colour and dash of lines; those of their strategies where it names none.
        ax: axes to draw on, None for new ones.
    """
    ax = axes_or_new(ax)
    both = pd.concat([estimates, bounds])
    if lower_is_better and spans_decades(both["x"]):
        set_log(ax, "x")
    if lower_is_better and spans_decades(both["y"]):
        set_log(ax)
    for place, (line, part) in enumerate(groups(estimates, "line")):
        part = part.sort_values("lam")
        colour, dash = line_look(line, part["strategy"].iloc[0], looks)
        _error_bars(ax, part, colour)
        marker, size = MARKERS[place % len(MARKERS)], 4.5 if len(part) <= MANY else 2.5
        ax.plot(
            part["x"], part["y"], color=colour, linestyle=dash, marker=marker, markersize=size, label=line
        )
    for line, end in groups(bounds, "line"):
        colour, _ = line_look(line, end["strategy"].iloc[0], looks)
        _error_bars(ax, end, colour)
        x, y = end["x"].iloc[0], end["y"].iloc[0]
        ax.plot([x], [y], color=colour, marker="*", markersize=11, linestyle="", label=line)
        ax.annotate(
            line,
            (x, y),
            xytext=(7, -3),
            textcoords="offset points",
            va="top",
            fontsize=8,
            fontweight="bold",
            color=ink(colour),
        )
    ax.margins(0.12)
    named = list(ax.transData.transform(bounds[["x", "y"]].to_numpy(dtype=float)))
    for line, part in groups(estimates, "line"):
        colour, _ = line_look(line, part["strategy"].iloc[0], looks)
        _name_lams(ax, part.sort_values("lam"), colour, named)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    if column_of(estimates, "line").nunique() > 1:
        ax.legend(loc="best")
    return ax


def _error_bars(ax: Axes, part: pd.DataFrame, colour: str) -> None:
    """Draw the intervals in both directions as thin crosses."""
    ax.errorbar(
        part["x"],
        part["y"],
        xerr=[(part["x"] - part["x_low"]).clip(lower=0), (part["x_high"] - part["x"]).clip(lower=0)],
        yerr=[(part["y"] - part["y_low"]).clip(lower=0), (part["y_high"] - part["y"]).clip(lower=0)],
        fmt="none",
        ecolor=colour,
        elinewidth=0.8,
        alpha=0.55,
        label="_interval",
    )


def _name_lams(ax: Axes, part: pd.DataFrame, colour: str, named: list[np.ndarray]) -> None:
    """Write λ beside points of a path, the ends and powers of ten first, as many as stand apart.

    Args:
        ax: axes whose limits are final.
        part: points of one path.
        colour: of the path.
        named: places in pixels that have a name already; those named here are added.
    """
    lams = part["lam"].to_numpy(dtype=float)
    points = ax.transData.transform(part[["x", "y"]].to_numpy())
    apart = 0.1 * np.hypot(*ax.get_window_extent().size)
    decades = [place for place, lam in enumerate(lams) if lam > 0 and np.log10(lam) % 1 == 0]
    others = range(len(part)) if len(part) <= MANY else ()
    first = True
    for place in dict.fromkeys([0, len(part) - 1, *decades, *others]):
        if any(np.hypot(*(points[place] - other)) < apart for other in named):
            continue
        named.append(points[place])
        lam = number_text(lams[place])
        ax.annotate(
            f"λ={lam}" if first else lam,
            (part["x"].iloc[place], part["y"].iloc[place]),
            xytext=(5, 5),
            textcoords="offset points",
            fontsize=7.5,
            color=ink(colour),
        )
        first = False


@chart("front", place=70, needs="two tasks and a strategy with three values of λ")
def draw_front(setting: Setting, metric: str) -> Drawing | None:
    """Draw stability against plasticity: the old tasks and the last one over λ, naive and joint as ends."""
    tasks, swept = setting.tasks, setting.swept
    if swept.empty or len(tasks) < 2:
        return None
    old = [Final("test", metric, task).column for task in tasks[:-1]]
    new = [Final("test", metric, tasks[-1]).column]
    by = ["variant", "strategy", "lam"]
    path = est.front_estimates(swept, old, new, by).rename(columns={"variant": "line"})
    ends = est.front_estimates(setting.bounds, old, new, ["line", "strategy"])
    name = quantity(metric, setting.scores.loss)
    before = f"task {tasks[0]}" if len(tasks) == 2 else f"tasks {tasks[0]} to {tasks[-2]} (mean)"
    figure, axes = new_axes(size=(5.4, 4.4))
    better = "upper right" if higher_is_better(metric) else "lower left"
    plot_front(
        path,
        ends,
        x_label=f"{name}, {before}",
        y_label=f"{name}, task {tasks[-1]}",
        lower_is_better=not higher_is_better(metric),
        looks=setting.scores.looks,
        ax=axes[0],
    )
    title = "Stability against plasticity over λ"
    how = f"{how_read(path['n'])}; better is {better}"
    write_title(figure, title, how, setting.name)
    return Drawing(title, f"Test split after the last stage; {how}.", figure)
