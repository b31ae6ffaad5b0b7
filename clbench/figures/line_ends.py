"""Labels at the ends of lines, moved apart where they would overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from clbench.figures.axes import figure_of
from clbench.figures.looks import ink

End = tuple[float, str, str]
"""Of a line: its last y in data units, its text and its colour."""


def spread(
    positions: Sequence[float] | np.ndarray, gap: float, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Return positions in their order, moved as little as needed to lie at least `gap` apart.

    Neighbours that collide form a block around their mean, blocks that collide are merged (the pool of
    adjacent violators); then all is kept within `low` and `high`.

    Args:
        positions: wanted positions, in any order, `[labels]`.
        gap: smallest distance between two.
        low, high: bounds, kept when there is room.
    """
    order = np.argsort(positions, kind="stable")
    blocks: list[list[float]] = []  # [sum of (wanted − offset), members]
    for rank, place in enumerate(order):
        blocks.append([float(positions[place]) - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, members = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += members
    level = np.concatenate([np.full(int(members), total / members) for total, members in blocks])
    moved = level + gap * np.arange(len(order))
    moved = np.maximum(moved, low + gap * np.arange(len(order)))
    moved = np.minimum(moved, high - gap * np.arange(len(order))[::-1])
    result = np.empty(len(order))
    result[order] = moved
    return result


def label_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Write labels at the right of the axes beside the lines' ends.

    Args:
        ax: axes whose limits are final.
        ends: of the lines.
    """
    ends = [end for end in ends if np.isfinite(end[0])]
    if not ends:
        return
    right, figure = ax.get_xlim()[1], figure_of(ax)
    pixels = ax.transData.transform([(right, y) for y, _, _ in ends])
    heights = ax.transAxes.inverted().transform(pixels)[:, 1]
    inches = figure.get_size_inches()[1] * ax.get_position().height
    placed = spread(np.clip(heights, 0, 1), 0.15 / inches, -0.02, 1.02)
    for height, (_, text, colour) in zip(placed, ends, strict=True):
        ax.annotate(
            text,
            (1, height),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=8,
            color=ink(colour),
            annotation_clip=False,
        )
