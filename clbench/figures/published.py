"""Published means and ours, row by row, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clbench.analysis.published import DIFFERS, WEAKLY, Comparison
from clbench.figures.gallery import Picture
from clbench.figures.layout import head
from clbench.figures.style import BLUE, GREY, VERMILLION, axes_or_new, new_axes, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 8.2
"""Inches that the line above the panels needs."""

ROW = 0.24
"""Inches of one method's row."""


def draw_published(comparisons: Sequence[Comparison], source: str, folder: Path) -> Picture | None:
    """Draw a panel per scenario and metric into `figures/published`; None where nothing of ours is there.

    Args:
        comparisons: of a study's table.
        source: what the table is called in print.
        folder: in which `figures/` is made.
    """
    shown = [item for item in comparisons if np.isfinite(item.ours)]
    if not shown:
        return None
    panels = list(dict.fromkeys((item.row.scenario, item.row.metric) for item in shown))
    methods = list(dict.fromkeys(item.row.method for item in shown))
    title = "Published means and ours"
    counts = sorted({item.n for item in shown})
    seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    caption = (
        f"{source}; grey: published mean ± spread as printed; colour: ours, 95 % interval over {seeds} seeds"
    )
    with styled():
        size = (max(3.4, WIDTH / len(panels)), 1.1 + ROW * len(methods))
        figure, axes = new_axes(1, len(panels), size=size, sharey=True)
        for ax, (scenario, metric) in zip(axes, panels, strict=True):
            part = [item for item in shown if (item.row.scenario, item.row.metric) == (scenario, metric)]
            plot_published(part, methods, ax)
            ax.set_title(f"{scenario}-incremental")
        head(figure, title, caption)
        png, svg = save(figure, folder / "figures" / "published")
    return Picture(
        title, f"{caption}. Red: the means differ (Welch, corrected by Holm); hollow: weak.", png, svg
    )


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
    name = {"acc": "ACC"}.get(row.metric, row.metric)
    ax.set_xlabel(f"{name} (%)" if row.unit == "%" else name)
    return ax
