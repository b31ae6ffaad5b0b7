"""What λ does: final loss or score over λ, and the best λ over widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clbench.figures.labels import label_ends, number, quantity, spread
from clbench.figures.lambda_axis import LambdaScale
from clbench.figures.style import MANY, MARKERS, Look, axes_or_new, set_log, spans_decades, strategy_look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_lambda(
    estimates: pd.DataFrame,
    references: pd.DataFrame,
    *,
    metric: str = "loss",
    loss: str = "loss",
    log: bool | None = None,
    floor: float | None = None,
    looks: Mapping[str, Look] | None = None,
    label_lines: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a final metric against λ with intervals; strategies without λ are level reference lines.

    Args:
        estimates: `line, strategy, lam, mean, low, high, chosen`; the chosen λ gets a ring.
        references: `line, strategy, mean, low, high`, one row each.
        metric, loss: for the axis.
        log: logarithmic y axis; None for where the means span more than 1.5 decades.
        floor: where a logarithmic axis ends below; None for just below the means drawn here.
        looks: colour and dash of lines; those of their strategies where it names none.
        label_lines: write each line's name at its end.
        ax: axes to draw on, None for new ones.

    Returns:
        the axes; a curve or reference has its label, an interval's band the label `_band <line>`.
    """
    ax = axes_or_new(ax)
    scale = LambdaScale(estimates["lam"])
    means = pd.concat([estimates["mean"], references["mean"]]) if len(references) else estimates["mean"]
    log = metric == "loss" and spans_decades(means) if log is None else log
    if log:
        set_log(ax)
    ends = []
    for row in references.itertuples():
        colour, dash = (looks or {}).get(row.line) or strategy_look(row.strategy)
        low, high = (row.mean, row.mean) if np.isnan(row.low) else (row.low, row.high)
        ax.axhspan(low, high, color=colour, alpha=0.12, linewidth=0, label=f"_band {row.line}")
        ax.axhline(row.mean, color=colour, linestyle=dash, linewidth=1.2, label=row.line)
        ends.append((row.mean, row.line, colour))
    for place, (line, part) in enumerate(estimates.groupby("line", sort=False)):
        part = part.sort_values("lam")
        colour, dash = (looks or {}).get(line) or strategy_look(part["strategy"].iloc[0])
        x = scale.place(part["lam"])
        marker, size = MARKERS[place % len(MARKERS)], 4.5 if len(part) <= MANY else 2.5
        joined = part["lam"].to_numpy() > 0
        above = part[joined]
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
        zero = part[~joined]
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
    scale.set_axis(ax)
    if log:
        ax.set_ylim(bottom=0.7 * means[means > 0].min() if floor is None else floor, auto=True)
    elif metric in ("loss", "anchor_distance"):
        ax.set_ylim(bottom=0, auto=True)
    ax.set_xlabel("λ")
    ax.set_ylabel(quantity(metric, loss))
    if label_lines:
        label_ends(ax, ends)
    return ax


def plot_best_lambda(
    estimates: pd.DataFrame,
    *,
    x_label: str,
    lams: Sequence[float] = (),
    looks: Mapping[str, Look] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the best λ against a width, with the span of those that may be best as well.

    Args:
        estimates: `line, strategy, width, lam, low, high`: the λ that the mean over seeds is best at, and
            the ends of its interval, NaN without one.
        x_label: name of the width.
        lams: the λ that were tried, which the axis then spans.
        looks: colour and dash of lines; those of their strategies where it names none.
        ax: axes to draw on, None for new ones.
    """
    ax = axes_or_new(ax)
    intervals = estimates[["low", "high"]].to_numpy()
    scale = LambdaScale([*estimates["lam"], *intervals[np.isfinite(intervals)], *lams])
    widths = np.unique(estimates["width"])
    logarithmic = widths.min() > 0
    lines = list(estimates.groupby("line", sort=False))
    shifts = spread([0.0] * len(lines), 0.015, -0.5, 0.5) if len(lines) > 1 else [0.0]
    ends = []
    for place, (line, part) in enumerate(lines):
        part = part.sort_values("width")
        colour, dash = (looks or {}).get(line) or strategy_look(part["strategy"].iloc[0])
        x = part["width"] * 2.0 ** (4 * shifts[place]) if logarithmic else part["width"]
        y = scale.place(part["lam"])
        ax.errorbar(
            x,
            y,
            yerr=[y - scale.place(part["low"]), scale.place(part["high"]) - y],
            color=colour,
            linestyle=dash,
            marker=MARKERS[place % len(MARKERS)],
            elinewidth=1.0,
            capsize=2.5,
            label=line,
        )
        ends.append((float(y[-1]), line, colour))
    if logarithmic:
        ax.set_xscale("log", base=2)
    ax.set_xticks(widths, labels=[number(width) for width in widths])
    ax.minorticks_off()
    scale.set_axis(ax, "y")
    ax.set_xlabel(x_label)
    ax.set_ylabel("best λ")
    label_ends(ax, ends)
    return ax
