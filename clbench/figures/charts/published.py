"""Published means and ours, row by row, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from clbench.analysis.published import DIFFERS, WEAKLY, Comparison
from clbench.figures.axes import axes_or_new, new_axes
from clbench.figures.chart import Drawing, chart
from clbench.figures.layout import write_title
from clbench.figures.looks import BLUE, GREY, VERMILLION
from clbench.figures.setting import Setting
from clbench.figures.words import seeds
from clbench.records.declared import heading_of

WIDTH = 8.2
"""Inches that the line above the panels needs."""

ROW = 0.24
"""Inches of one method's row."""


def plot_published(comparisons: Sequence[Comparison], methods: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw one panel: a row per method, the published mean in grey and ours in colour below it.

    Args:
        comparisons: of one scenario and metric, with runs of ours.
        methods: names of the rows, from above.
        ax: None for new axes.
    """
    ax = axes_or_new(ax)
    place = {method: index for index, method in enumerate(methods)}
    for item in comparisons:
        y = place[item.row.method]
        spread = item.row.spread if np.isfinite(item.row.spread) else 0.0
        ax.errorbar(item.row.mean, y - 0.16, xerr=spread, fmt="D", color=GREY, markersize=3.5, linewidth=1.0)
        colour = VERMILLION if item.word == DIFFERS else BLUE
        fill = "white" if item.word == WEAKLY else colour
        ends = [[max(item.ours - item.low, 0.0)], [max(item.high - item.ours, 0.0)]]
        ends = ends if np.isfinite(item.low) else None
        ax.errorbar(
            item.ours, y + 0.16, xerr=ends, fmt="o", color=colour, mfc=fill, markersize=3.5, linewidth=1.4
        )
    ax.set_yticks(range(len(methods)), [method.replace("_", " ") for method in methods])
    ax.set_ylim(len(methods) - 0.4, -0.6)
    ax.grid(axis="y", color="#e6e6e6", linewidth=0.5)
    row = comparisons[0].row
    name = heading_of(row.metric)
    ax.set_xlabel(f"{name} (%)" if row.unit == "%" else name)
    return ax


@chart(
    "published", place=0, needs="a study with a published table, and runs of its methods", per_setting=False
)
def draw_published(setting: Setting, metric: str) -> Drawing | None:
    """Draw the published means and ours, a panel per scenario and metric of the table."""
    shown = [item for item in setting.published if np.isfinite(item.ours)]
    if not shown:
        return None
    panels = list(dict.fromkeys((item.row.scenario, item.row.metric) for item in shown))
    methods = list(dict.fromkeys(item.row.method for item in shown))
    title = "Published means and ours"
    caption = (
        f"{setting.source}; grey: published mean ± spread as printed; "
        f"colour: ours, 95 % interval over {seeds(item.n for item in shown)}"
    )
    size = (max(3.4, WIDTH / len(panels)), 1.1 + ROW * len(methods))
    figure, axes = new_axes(1, len(panels), size=size, sharey=True)
    for ax, (scenario, name) in zip(axes, panels, strict=True):
        part = [item for item in shown if (item.row.scenario, item.row.metric) == (scenario, name)]
        plot_published(part, methods, ax)
        ax.set_title(f"{scenario}-incremental")
    write_title(figure, title, caption)
    colours = "Red: the means differ (Welch, corrected by Holm); hollow: weak."
    return Drawing(title, f"{caption}. {colours}", figure)
