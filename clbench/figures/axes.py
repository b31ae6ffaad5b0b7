"""Axes: figures that pyplot does not know and notebooks show all the same, and their scales."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from clbench.figures.words import number_text

LOG_SPAN = 1.5
"""Positive values that span more decades than this are drawn on a log axis."""


class ShownFigure(Figure):
    """A figure that needs no pyplot, where IPython looks for figures, to be shown below a cell."""

    def _repr_png_(self) -> bytes:
        content = BytesIO()
        self.savefig(content, format="png")
        return content.getvalue()


def new_axes(
    rows: int = 1,
    columns: int = 1,
    *,
    size: tuple[float, float] = (5.2, 3.4),
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure that pyplot does not know, and its axes row by row.

    Args:
        rows, columns: the grid.
        size: inches of one panel, width and height.
        sharex, sharey: whether all panels have one scale.
    """
    figure = ShownFigure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure."""
    return new_axes()[1][0] if ax is None else ax


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that axes lie in."""
    assert isinstance(ax.figure, Figure), "no part of the package draws into a subfigure"
    return ax.figure


def set_log(ax: Axes, which: Literal["x", "y"] = "y") -> None:
    """Make an axis logarithmic, with decades written as a person does."""
    set_scale, axis = (ax.set_xscale, ax.xaxis) if which == "x" else (ax.set_yscale, ax.yaxis)
    set_scale("log", nonpositive="clip")
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    axis.set_minor_formatter(NullFormatter())


def spans_decades(values: npt.ArrayLike) -> bool:
    """Tell whether the positive values span more than `LOG_SPAN` decades and none is negative."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    positive = array[array > 0]
    if not len(positive) or (array < 0).any():
        return False
    return bool(np.log10(positive.max() / positive.min()) > LOG_SPAN)
