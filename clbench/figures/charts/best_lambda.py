"""Which λ is best at every width of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from clbench.analysis.frames import column_of, groups
from clbench.figures import estimates as est
from clbench.figures.axes import axes_or_new, new_axes
from clbench.figures.chart import Drawing, chart
from clbench.figures.lambda_axis import LambdaScale
from clbench.figures.layout import write_title
from clbench.figures.line_ends import label_ends, spread
from clbench.figures.looks import MARKERS, Look, line_look
from clbench.figures.scores import short_name, width_column
from clbench.figures.setting import Setting
from clbench.figures.words import number_text, seeds


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
    lines = list(groups(estimates, "line"))
    shifts = spread([0.0] * len(lines), 0.015, -0.5, 0.5) if len(lines) > 1 else [0.0]
    ends = []
    for place, (line, part) in enumerate(lines):
        part = part.sort_values("width")
        colour, dash = line_look(line, part["strategy"].iloc[0], looks)
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
    ax.set_xticks(widths, labels=[number_text(width) for width in widths])
    ax.minorticks_off()
    scale.set_axis(ax, "y")
    ax.set_xlabel(x_label)
    ax.set_ylabel("best λ")
    label_ends(ax, ends)
    return ax


@chart(
    "best_lambda",
    place=10,
    needs="two widths of the model and two values of λ, and no more settings",
    per_setting=False,
)
def draw_best_lambda(setting: Setting, metric: str) -> Drawing | None:
    """Draw which λ is best at every width of the network, a line per variant."""
    scores = setting.scores
    column = width_column(scores)
    if column is None:
        return None
    best = est.best_lambda_estimates(scores, column)
    if column_of(best, "width").nunique() < 2:
        return None
    figure, axes = new_axes(size=(5.6, 3.8))
    plot_best_lambda(
        best,
        x_label=short_name(column, (column,)).replace("_", " "),
        lams=list(column_of(scores.runs, "lam").dropna().unique()),
        looks=scores.looks,
        ax=axes[0],
    )
    title = "Best λ over width"
    write_title(figure, title, f"over {seeds(best['n'])}; bars span the λ that may be best as well")
    bars = "bars: the λ that no paired t test tells from it (95 %)"
    caption = f"λ with the best mean over {seeds(best['n'])}; {bars}."
    return Drawing(title, caption, figure)
