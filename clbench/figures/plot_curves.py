"""A task's loss or score over the whole training: mean and band over seeds, a line per strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from clbench.analysis.frames import groups, rows_where
from clbench.figures.axes import axes_or_new, set_log, spans_decades
from clbench.figures.line_ends import label_ends
from clbench.figures.looks import Look, line_look
from clbench.figures.words import quantity

TRAINING_ON = "training on "


def plot_curves(
    estimates: pd.DataFrame,
    stages: Mapping[str, tuple[float, float]],
    counted: str = "gradient step",
    *,
    metric: str = "loss",
    loss: str = "loss",
    log: bool | None = None,
    floor: float | None = None,
    looks: Mapping[str, Look] | None = None,
    label_lines: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw one task's curves with their bands and mark the switches.

    Args:
        estimates: `line, strategy, step, mean, low, high`; a line per value of `line`.
        stages: per task name the first and the last step of its stage, in order.
        counted: what `step` counts, for the axis.
        metric: `loss` or a score's name, for the axis.
        loss: which loss it is, for the axis.
        log: logarithmic y axis; None for where the means span more than 1.5 decades.
        floor: where a logarithmic axis ends below; None for just below the means drawn here.
        looks: colour and dash of lines; those of their strategies where it names none.
        label_lines: write each line's name at its end.
        ax: axes to draw on, None for new ones.

    Returns:
        the axes; a line has its label, a band the label `_band <line>`.
    """
    ax = axes_or_new(ax)
    log = spans_decades(estimates["mean"]) and metric == "loss" if log is None else log
    if log:
        set_log(ax)
    floor = lowest(estimates) if log and floor is None else floor
    ends = []
    for line, part in groups(estimates, "line"):
        part = part.sort_values("step")
        colour, dash = line_look(line, part["strategy"].iloc[0], looks)
        low = part["low"].clip(lower=floor) if log else part["low"]
        ax.fill_between(
            part["step"], low, part["high"], color=colour, alpha=0.18, linewidth=0, label=f"_band {line}"
        )
        ax.plot(part["step"], part["mean"], color=colour, linestyle=dash, label=line)
        ends.append((part["mean"].iloc[-1], line, colour))
    if metric != "loss" and estimates["mean"].between(0, 1).all():
        ax.set_ylim(-0.02, 1.02)
    elif log:
        ax.set_ylim(bottom=floor, auto=True)  # panels that share the axis may still widen it
    else:
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]) if metric == "loss" else None, auto=True)
    mark_switches(ax, stages)
    ax.set_xlabel(counted)
    ax.set_ylabel(quantity(metric, loss))
    if label_lines:
        label_ends(ax, ends)
    return ax


def lowest(estimates: pd.DataFrame) -> float:
    """Return where a log axis ends below: under every mean, and no lower than bands that reach to 0 need."""
    means, lows = (estimates[name].to_numpy(dtype=float) for name in ("mean", "low"))
    least = float(means[means > 0].min())
    return 0.8 * min([least, *lows[lows > 0.2 * least]])


def mark_switches(ax: Axes, stages: Mapping[str, tuple[float, float]]) -> None:
    """Draw a thin line at every switch and write above the axes which of several tasks is being learned.

    Args:
        ax: axes over steps.
        stages: per task name the first and the last step of its stage, in order.
    """
    spans = list(stages.items())
    ax.set_xlim(spans[0][1][0], spans[-1][1][1])
    if len(spans) == 1:
        return
    for _, (start, _) in spans[1:]:
        ax.axvline(start, color="#9a9a9a", linewidth=0.9, linestyle=(0, (3, 2)), zorder=0.5, label="_switch")
    every = -(-len(spans) // 10)
    for place, (name, (start, stop)) in list(enumerate(spans))[::every]:
        text = f"{TRAINING_ON}{name}" if len(spans) <= 3 and place == 0 else name
        ax.annotate(
            text,
            ((start + stop) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color="#555555",
        )


def plot_tasks(
    estimates: pd.DataFrame,
    tasks: Sequence[str],
    stages: Mapping[str, tuple[float, float]],
    axes: Sequence[Axes],
    counted: str = "gradient step",
    *,
    metric: str = "loss",
    loss: str = "loss",
    looks: Mapping[str, Look] | None = None,
) -> None:
    """Draw small multiples, a panel per task, all on one scale; above a panel its own stage is bold.

    Args:
        estimates: as for `plot_curves`, with the column `task`.
        tasks: whose panels are drawn.
        stages: per task name the first and the last step of its stage, all tasks in order.
        axes: a panel per task.
        counted, metric, loss, looks: as for `plot_curves`.
    """
    log = metric == "loss" and spans_decades(estimates["mean"])
    floor = lowest(estimates) if log else None
    for ax, task in zip(axes, tasks, strict=False):
        plot_curves(
            rows_where(estimates, estimates["task"] == task),
            stages,
            counted,
            metric=metric,
            loss=loss,
            log=log,
            floor=floor,
            looks=looks,
            label_lines=False,
            ax=ax,
        )
        ax.set_title(f"task {task}", pad=14)
        for text in list(ax.texts):
            own = text.get_text().removeprefix(TRAINING_ON) == task
            text.set_fontweight("bold" if own else "normal")
