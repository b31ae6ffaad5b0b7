"""The matrix R as a heat map: what a network can do on every task after every stage."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from clbench.figures import estimates as est
from clbench.figures.axes import axes_or_new, new_axes, spans_decades
from clbench.figures.chart import Drawing, chart
from clbench.figures.layout import tidy_grid, write_title
from clbench.figures.setting import Setting
from clbench.figures.words import quantity, seeds
from clbench.records.columns import higher_is_better


def scale_of(matrices: Sequence[np.ndarray], *, lower_is_better: bool, unit: bool) -> Normalize:
    """Return the colour scale that all panels share.

    Args:
        matrices: what is drawn, `[stages, tasks]` each.
        lower_is_better: a loss; logarithmic where the values span more than 1.5 decades.
        unit: a score between 0 and 1 whose whole range is shown.
    """
    values = np.concatenate([matrix[np.isfinite(matrix)] for matrix in matrices])
    if unit:
        return Normalize(0, 1)
    if lower_is_better and spans_decades(values):
        return LogNorm(values[values > 0].min(), values.max())
    return Normalize(
        min(0.0, values.min()), values.max() if values.max() > values.min() else values.min() + 1
    )


def plot_matrix(
    matrix: np.ndarray,
    tasks: Sequence[str],
    stages: Sequence[str],
    *,
    scale: Normalize | None = None,
    lower_is_better: bool = False,
    unit: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw R: rows are stages from top to bottom, columns tasks; dark is good, values stand in the cells.

    Args:
        matrix: means over seeds `[stages, tasks]`, NaN for what was not measured.
        tasks, stages: names along the two axes.
        scale: shared colour scale, None for one of its own.
        lower_is_better: a loss, so small values are dark.
        unit: a score between 0 and 1, written with two decimals.
        ax: axes to draw on, None for new ones.
    """
    ax = axes_or_new(ax)
    if scale is None:
        scale = scale_of([matrix], lower_is_better=lower_is_better, unit=False)
    palette = "Blues_r" if lower_is_better else "Blues"
    mesh = ax.pcolormesh(matrix, cmap=palette, norm=scale, edgecolors="white", linewidth=1.0)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    if len(tasks) <= 10:
        size = 8.5 if len(tasks) <= 5 else 6.5
        for row, column in np.ndindex(matrix.shape):
            value = float(matrix[row, column])
            if not np.isfinite(value):
                continue
            red, green, blue, _ = mesh.cmap(scale(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            ax.text(
                column + 0.5,
                row + 0.5,
                f"{value:.2f}" if unit else cell_text(value),
                ha="center",
                va="center",
                fontsize=size,
                color="white" if dark else "black",
                fontweight="bold" if row == column and len(tasks) > 2 else "normal",
            )
    every = max(1, len(tasks) // 10)
    ax.set_xticks(np.arange(0, len(tasks), every) + 0.5, list(tasks)[::every])
    ax.set_yticks(np.arange(0, len(stages), every) + 0.5, list(stages)[::every])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("task")
    ax.set_ylabel("after stage")
    return ax


def cell_text(value: float) -> str:
    """Return a value in at most five characters: `.93`, `1.0`, `0.012`, `12.3`, `2e+3`."""
    if 0.1 <= abs(value) < 0.995:
        return f"{value:.2f}"
    if abs(value) >= 1000 or 0 < abs(value) < 0.001:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"


@chart("matrix", place=40, needs="two tasks and the runs' own losses.csv")
def draw_matrix(setting: Setting, metric: str) -> Drawing | None:
    """Draw R, a metric on every task after every stage, as a heat map per strategy, all on one scale."""
    tasks, runs = setting.tasks, setting.choice.runs
    panels = est.matrices(setting.scores.losses, runs, tasks, metric)
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
    title = f"R: {quantity(metric, setting.scores.loss)} on every task after every stage"
    write_title(figure, title, f"mean over {seeds(counts)}; dark is good", setting.name)
    caption = f"Test split, mean over {seeds(counts)}; dark is good.{setting.choice.words}"
    return Drawing(title, caption, figure)
