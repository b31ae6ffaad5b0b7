"""How a whole picture is laid out: its panels, its title and its legend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clbench.figures.axes import figure_of

LINES = 8
"""Most lines in a panel; more lines get more panels, each with naive and joint for reference."""
COLUMNS = 3
"""Most panels side by side."""
PANELS = 9
"""Most tasks in one picture; of more, evenly chosen ones are drawn, the first and the last among them."""


def panels_of_lines(
    lines: Sequence[str], strategies: Sequence[str], bounds: Collection[str]
) -> list[list[str]]:
    """Return the lines of every panel: at most `LINES` each, the bounds in all of them.

    Args:
        lines: names in order.
        strategies: the strategy of each.
        bounds: strategies that the others lie between.
    """
    repeated = [line for line, name in zip(lines, strategies, strict=True) if name in bounds][:3]
    others = [line for line in lines if line not in repeated]
    if len(lines) <= LINES:
        return [list(lines)]
    size = LINES - len(repeated)
    size = ceil(len(others) / ceil(len(others) / size))
    return [[*repeated, *others[start : start + size]] for start in range(0, len(others), size)]


def evenly(count: int, most: int) -> list[int]:
    """Return at most `most` of the places 0 … count − 1, evenly spread, the first and last among them."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def write_title(figure: Figure, title: str, subtitle: str, setting: str = "") -> None:
    """Write the title of a whole figure at its left, and below it, smaller and grey, how to read it."""
    subtitle = f"{setting}; {subtitle}" if setting else subtitle
    figure.suptitle(f"{title}\n ", x=0.01, ha="left", fontsize=10.5)
    below_top = 0.042 + 1.25 * 10.5 / 72  # inches: the layout's padding and the title's line
    figure.text(
        0.01,
        1 - below_top / figure.get_size_inches()[1],
        subtitle,
        ha="left",
        va="top",
        fontsize=8.5,
        color="#555555",
        in_layout=False,
    )


def tidy_grid(axes: Sequence[Axes], used: int, columns: int) -> None:
    """Remove unused panels of a grid, and axis names that the neighbour already has.

    Args:
        axes: panels row by row.
        used: how many are used.
        columns: panels a row.
    """
    for place, ax in enumerate(axes):
        if place >= used:
            ax.remove()
            continue
        if place % columns:
            ax.set_ylabel("")
        if place + columns < used:
            ax.set_xlabel("")
        else:
            ax.tick_params(labelbottom=True)


def add_legend(axes: Sequence[Axes], used: int, columns: int) -> None:
    """Write a legend of all lines into the first free cell of a grid, or at the right of its first row.

    Args:
        axes: panels row by row.
        used: how many are used.
        columns: panels a row.
    """
    handles = [line for line in axes[0].get_lines() if not str(line.get_label()).startswith("_")]
    if used < len(axes):
        figure, cell = figure_of(axes[used]), axes[used].get_subplotspec()
        assert cell is not None, "a panel of a grid has its cell"
        box = cell.get_position(figure)
        where = (box.x0 + 0.02, box.y0 + box.height / 2)
        figure.legend(handles=handles, loc="center left", bbox_to_anchor=where)
    else:
        axes[columns - 1].legend(
            handles=handles, loc="center left", bbox_to_anchor=(1.02, 0.5), borderaxespad=0
        )
