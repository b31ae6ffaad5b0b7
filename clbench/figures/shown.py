"""A figure that pyplot does not know, and that a notebook shows all the same."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that needs no pyplot, where IPython looks for figures, to be shown below a cell."""

    def _repr_png_(self) -> bytes:
        content = BytesIO()
        self.savefig(content, format="png")
        return content.getvalue()
