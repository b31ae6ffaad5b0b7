"""Words on the axes: what a quantity is called, its unit, and labels at the ends of lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clbench.figures.style import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = {
    "accuracy": "accuracy",
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "rmse": "RMSE",
    "r2": "R²",
    "mse": "mean squared error",
    "cross_entropy": "cross-entropy (nats)",
    "anchor_distance": "distance ‖θ − θ*‖",
}


def quantity(metric: str, loss: str = "loss") -> str:
    """Return how a metric is called on an axis; `loss` says which loss it is, `mse` or `cross_entropy`."""
    name = loss if metric == "loss" else metric
    return QUANTITIES.get(name, name.replace("_", " "))


def literal(text: str) -> str:
    """Return a text so that matplotlib prints it as it stands: nothing between two `$` is a formula."""
    return text.replace("$", r"\$")


def number(value: float) -> str:
    """Return a hyperparameter as a person writes it: `0.1`, `100`, `1e-6`."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{float(f'{value:.4g}'):g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def seeds(counts: Sequence[int]) -> str:
    """Return over how many seeds an estimate was taken: `10 seeds`, `8 to 10 seeds`."""
    low, high = min(counts), max(counts)
    if low == high:
        return f"{low} seed" + ("s" if low != 1 else "")
    return f"{low} to {high} seeds"


def spread(positions: Sequence[float], gap: float, low: float = 0.0, high: float = 1.0) -> np.ndarray:
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


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write labels at the right of the axes beside the lines' ends, moved apart where they would overlap.

    Args:
        ax: axes whose limits are final.
        ends: per line its last y (data units), its text and its colour.
    """
    ends = [end for end in ends if np.isfinite(end[0])]
    if not ends:
        return
    x_right = ax.get_xlim()[1]
    heights = ax.transAxes.inverted().transform(ax.transData.transform([(x_right, y) for y, _, _ in ends]))[
        :, 1
    ]
    inches = ax.figure.get_size_inches()[1] * ax.get_position().height
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
