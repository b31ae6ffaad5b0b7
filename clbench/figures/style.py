"""How a picture is drawn and saved: readable type, and bytes that do not change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from clbench.records.files import write_whole

SETTINGS: dict[Any, Any] = {
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


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save within this block: the settings hold there and nowhere else."""
    with matplotlib.rc_context(SETTINGS):
        yield


def warm() -> None:
    """Load fonts, and what writes a figure, before there is anything to draw."""
    with styled():
        figure = Figure(layout="constrained")
        figure.add_subplot().set_title("λ θ 1")
        _written(figure)


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure as PNG and as SVG beside it, whole or not at all; equal figures give equal bytes.

    Args:
        figure: what was drawn.
        path: without a suffix.

    Returns:
        the two paths.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    png, svg = (path.with_name(path.name + suffix) for suffix in (".png", ".svg"))
    for file, content in zip((png, svg), _written(figure), strict=True):
        write_whole(file, content)
    return png, svg


def _written(figure: Figure) -> tuple[bytes, bytes]:
    """Return a figure as PNG and as SVG."""
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")  # laid out once; `savefig` would do it, and draw, twice per format
    image, drawing = BytesIO(), BytesIO()
    FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})
    FigureCanvasSVG(figure).print_svg(drawing, metadata={"Date": None, "Creator": None})
    return image.getvalue(), drawing.getvalue()
