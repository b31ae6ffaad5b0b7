"""How every picture looks: one colour and dash per strategy, readable type, and bytes that do not change.

Colours are those of Okabe and Ito (2008), distinguishable with every common form of colour blindness;
yellow is left out, for it can't be read on white. matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"

TASK_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY, BLACK)
"""Colours of the tasks in their order: A is blue, B orange."""

SOLID, DASHED, DOTTED, DASHDOT = "-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (5, 1.5, 1.2, 1.5))

STRATEGY_LOOKS: dict[str, tuple[str, object]] = {
    "naive": (VERMILLION, SOLID),
    "joint": (BLACK, SOLID),
    "cumulative": (GREY, DASHED),
    "l2": (BLUE, SOLID),
    "l1": (SKY, DASHED),
    "l2_init": (BLUE, DASHED),
    "weight_decay": (ORANGE, DASHED),
    "adapter": (GREEN, DASHED),
    "ewc": (GREEN, SOLID),
    "online_ewc": (GREEN, DASHDOT),
    "si": (ORANGE, SOLID),
    "mas": (PURPLE, SOLID),
    "rwalk": (SKY, SOLID),
    "lwf": (PURPLE, DASHED),
    "er": (BLUE, DOTTED),
    "naive_rehearsal": (SKY, DOTTED),
    "der": (ORANGE, DOTTED),
    "derpp": (ORANGE, DASHDOT),
    "gem": (GREEN, DOTTED),
    "agem": (SKY, DASHDOT),
    "gdumb": (GREY, DOTTED),
    "shrink_perturb": (PURPLE, DOTTED),
}
"""Colour and dash of the strategies known by name; others get theirs from their name's hash."""

VARIANT_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, GREY)
"""Colours of a strategy's variants, which its own colour can't tell apart; naive's and joint's are spared."""

Look = tuple[str, object]
"""A colour and a dash."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")

MANY = 15
"""Points on a line from which they are drawn small, and only round λ are named."""

LOG_SPAN = 1.5
"""Positive values that span more decades than this are drawn on a log axis."""

SETTINGS = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "figure.titlesize": 11.0,
    "figure.dpi": 160,
    "svg.hashsalt": "clbench",
    "svg.fonttype": "path",
    "path.simplify": True,
}


def strategy_look(name: str) -> Look:
    """Return the colour and dash of a strategy: the same in every picture, whatever else is drawn."""
    if name in STRATEGY_LOOKS:
        return STRATEGY_LOOKS[name]
    digest = hashlib.sha256(name.encode()).digest()
    colours = (SKY, PURPLE, GREEN, ORANGE, BLUE, GREY)
    return colours[digest[0] % len(colours)], (DASHED, DASHDOT, DOTTED, SOLID)[digest[1] % 4]


def variant_looks(variants: Mapping[str, str]) -> dict[str, Look]:
    """Return the colour and dash of every variant: its strategy's, or one of its own beside others.

    Args:
        variants: per name of a variant, in order, its strategy.
    """
    looks, alone = {}, list(variants.values())
    for place, (name, strategy) in enumerate(variants.items()):
        if alone.count(strategy) == 1:
            looks[name] = strategy_look(strategy)
        else:
            colour = VARIANT_COLOURS[place % len(VARIANT_COLOURS)]
            dash = (SOLID, DASHED, DOTTED, DASHDOT)[place // len(VARIANT_COLOURS) % 4]
            looks[name] = (colour, dash)
    return looks


def ink(colour: str) -> str:
    """Return a colour darkened for text, so that it keeps its hue and can be read on white."""
    channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(0.75 * channel):02x}" for channel in channels)


def spans_decades(values: Sequence[float]) -> bool:
    """Tell whether the positive values span more than `LOG_SPAN` decades and none is negative."""
    import numpy as np

    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    positive = array[array > 0]
    if not len(positive) or (array < 0).any():
        return False
    return bool(np.log10(positive.max() / positive.min()) > LOG_SPAN)


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save within this block: the settings hold there and nowhere else."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        yield


def new_axes(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (5.2, 3.4), **subplots: object
) -> tuple[Figure, list[Axes]]:
    """Return a figure that pyplot does not know, and its axes row by row.

    Args:
        rows, columns: the grid.
        size: inches of one panel, width and height.
        subplots: for `Figure.subplots`, e.g. `sharey=True`.
    """
    from clbench.figures.shown import ShownFigure

    figure = ShownFigure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **subplots).flat)


def set_log(ax: Axes, which: str = "y") -> None:
    """Make an axis, `x` or `y`, logarithmic, with decades written as a person does."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from clbench.figures.labels import number

    getattr(ax, f"set_{which}scale")("log", nonpositive="clip")
    axis = getattr(ax, f"{which}axis")
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_formatter(NullFormatter())


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure."""
    return new_axes()[1][0] if ax is None else ax


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure beside each other as PNG and SVG, whole or not at all; equal figures give equal bytes.

    Args:
        figure: what was drawn.
        path: without a suffix.

    Returns:
        the two paths.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")  # laid out once; `savefig` would do it, and draw, twice per format
    png, svg = (path.with_name(path.name + suffix) for suffix in (".png", ".svg"))
    with _aside(png) as place:
        FigureCanvasAgg(figure).print_png(place, metadata={"Software": None})
    with _aside(svg) as place:
        FigureCanvasSVG(figure).print_svg(place, metadata={"Date": None, "Creator": None})
    return png, svg


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Give a place to write to, and rename it when all is written."""
    place = path.with_name(f".{path.name}.part")
    try:
        yield place
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)
