"""The λ axis: logarithmic, with 0 at a place of its own left of a break."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from clbench.figures.words import number_text


class LambdaScale:
    """Positions of λ on an axis: log10 λ, and for 0 one step left of the smallest positive λ."""

    def __init__(self, lams: npt.ArrayLike) -> None:
        """Take all λ that are drawn, finite and at least 0."""
        self.lams = np.unique(np.asarray(lams, dtype=float))
        logs = np.log10(self.lams[self.lams > 0])
        self.first = float(np.floor(logs.min() + 1e-9)) if len(logs) else 0.0
        self.last = float(np.ceil(logs.max() - 1e-9)) if len(logs) else 0.0
        self.has_zero = bool((self.lams == 0).any())
        self.zero = self.first - max(0.7, 0.09 * (self.last - self.first))

    def place(self, lams: npt.ArrayLike) -> np.ndarray:
        """Return the positions of λ on the axis."""
        values = np.asarray(lams, dtype=float)
        return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), self.zero)

    def set_axis(self, ax: Axes, which: Literal["x", "y"] = "x") -> None:
        """Put ticks at decades and at 0, with a break between, on the axis `x` or `y`."""
        axis, set_limits = (ax.xaxis, ax.set_xlim) if which == "x" else (ax.yaxis, ax.set_ylim)
        every = max(1, int(np.ceil((self.last - self.first) / 5)))
        decades = np.arange(self.first, self.last + 1, every)
        texts = [number_text(10.0**decade) for decade in decades]
        if self.has_zero:
            axis.set_ticks([self.zero, *decades], labels=["0", *texts])
        else:
            axis.set_ticks(decades, labels=texts)
        left = self.zero if self.has_zero else min(self.first, np.log10(self.lams.min()))
        width = max(self.last - left, 0.5)
        limits = (left - 0.04 * width, self.last + 0.04 * width)
        set_limits(*limits)
        if self.has_zero:
            self._break(ax, which, ((self.zero + self.first) / 2 - limits[0]) / (limits[1] - limits[0]))

    @staticmethod
    def _break(ax: Axes, which: Literal["x", "y"], fraction: float) -> None:
        """Cover a bit of the axis line and draw two slanted strokes there."""
        step = 0.008
        for shift in (-step, step):
            place = fraction + shift
            along = [place - 0.007, place + 0.007]
            across = [-0.018, 0.018]
            points = (along, across) if which == "x" else (across, along)
            ax.plot(
                *points, transform=ax.transAxes, color="black", linewidth=0.8, clip_on=False, label="_break"
            )
