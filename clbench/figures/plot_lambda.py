"""A final loss or score over λ, with level lines for strategies without λ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from clbench.analysis.frames import groups, rows_where
from clbench.figures.axes import axes_or_new, set_log, spans_decades
from clbench.figures.lambda_axis import LambdaScale
from clbench.figures.line_ends import End, label_ends
from clbench.figures.looks import MANY, MARKERS, Look, line_look
from clbench.figures.words import quantity


def plot_lambda(
    estimates: pd.DataFrame,
    bounds: pd.DataFrame,
    *,
    metric: str = "loss",
    loss: str = "loss",
    log: bool | None = None,
    floor: float | None = None,
    looks: Mapping[str, Look] | None = None,
    label_lines: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a final metric against λ with intervals; strategies without λ are level lines.

    Args:
        estimates: `line, strategy, lam, mean, low, high, chosen`; the chosen λ gets a ring.
        bounds: `line, strategy, mean, low, high`, one row each.
        metric, loss: for the axis.
        log: logarithmic y axis; None for where the means span more than 1.5 decades.
        floor: where a logarithmic axis ends below; None for just below the means drawn here.
        looks: colour and dash of lines; those of their strategies where it names none.
        label_lines: write each line's name at its end.
        ax: axes to draw on, None for new ones.

    Returns:
        the axes; a curve or level line has its label, an interval's band the label `_band <line>`.
    """
    ax = axes_or_new(ax)
    scale = LambdaScale(estimates["lam"])
    frames = [estimates, bounds] if len(bounds) else [estimates]
    means = np.concatenate([frame["mean"].to_numpy(dtype=float) for frame in frames])
    log = metric == "loss" and spans_decades(means) if log is None else log
    if log:
        set_log(ax)
    ends = [*_draw_levels(ax, bounds, looks), *_draw_paths(ax, estimates, scale, looks)]
    scale.set_axis(ax)
    if log:
        ax.set_ylim(bottom=0.7 * float(means[means > 0].min()) if floor is None else floor, auto=True)
    elif metric in ("loss", "anchor_distance"):
        ax.set_ylim(bottom=0, auto=True)
    ax.set_xlabel("λ")
    ax.set_ylabel(quantity(metric, loss))
    if label_lines:
        label_ends(ax, ends)
    return ax


def _draw_levels(ax: Axes, bounds: pd.DataFrame, looks: Mapping[str, Look] | None) -> list[End]:
    """Draw strategies without λ as level lines with their intervals; return the lines' ends."""
    ends = []
    for line, level in groups(bounds, "line"):
        colour, dash = line_look(line, level["strategy"].iloc[0], looks)
        mean, low, high = level[["mean", "low", "high"]].to_numpy(dtype=float)[0]
        if np.isnan(low):
            low = high = mean
        ax.axhspan(low, high, color=colour, alpha=0.12, linewidth=0, label=f"_band {line}")
        ax.axhline(mean, color=colour, linestyle=dash, linewidth=1.2, label=line)
        ends.append((mean, line, colour))
    return ends


def _draw_paths(
    ax: Axes, estimates: pd.DataFrame, scale: LambdaScale, looks: Mapping[str, Look] | None
) -> list[End]:
    """Draw lines over positive λ with their bands, λ = 0 apart and the chosen λ in rings; return the ends."""
    ends = []
    for place, (line, part) in enumerate(groups(estimates, "line")):
        part = part.sort_values("lam")
        colour, dash = line_look(line, part["strategy"].iloc[0], looks)
        x = scale.place(part["lam"])
        marker, size = MARKERS[place % len(MARKERS)], 4.5 if len(part) <= MANY else 2.5
        joined = part["lam"].to_numpy() > 0
        above = rows_where(part, joined)
        ax.fill_between(
            x[joined],
            above["low"],
            above["high"],
            color=colour,
            alpha=0.18,
            linewidth=0,
            label=f"_band {line}",
        )
        ax.plot(
            x[joined], above["mean"], color=colour, linestyle=dash, marker=marker, markersize=size, label=line
        )
        zero = rows_where(part, ~joined)
        ax.errorbar(
            x[~joined],
            zero["mean"],
            yerr=[zero["mean"] - zero["low"], zero["high"] - zero["mean"]],
            color=colour,
            marker=marker,
            linestyle="",
            label="_zero",
        )
        chosen = part["chosen"].to_numpy(dtype=bool)
        ax.plot(
            x[chosen],
            part["mean"][chosen],
            linestyle="",
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor=colour,
            label="_chosen",
        )
        ends.append((part["mean"].iloc[-1], line, colour))
    return ends
