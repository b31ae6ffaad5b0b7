"""What a kind of picture declares. A new one is one module in `clbench/figures/charts`, and nothing else.

    @chart("distance", place=80, needs="a strategy with an anchor", metrics=lambda setting: ["loss"])
    def draw_distance(setting: Setting, metric: str) -> Drawing | None: ...

The gallery then draws it, the report shows it with its title and caption, and `results.plot.distance()`
returns it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from matplotlib.figure import Figure

from clbench.figures.setting import Setting


@dataclass(frozen=True)
class Drawing:
    """What a chart shows of one setting, drawn and not yet saved.

    Args:
        title: what it shows.
        caption: how to read it, with the number of seeds.
        figure: with all panels.
    """

    title: str
    caption: str
    figure: Figure


Draw = Callable[[Setting, str], Drawing | None]
"""Draws a setting by a metric; None where its files hold too little for it."""

D = TypeVar("D", bound=Draw)


@dataclass(frozen=True)
class Chart:
    """A kind of picture.

    Args:
        name: by which `results.plot` knows it.
        place: in the order of reading.
        needs: what a sweep must have for it, in words that follow "must have".
        draw: the function.
        metrics: those by which the gallery draws a setting, none where the chart does not apply.
        file: the picture's file for a setting and a metric, without its suffix.
        per_setting: whether every setting has a picture of its own; else the sweep has one.
    """

    name: str
    place: int
    needs: str
    draw: Draw
    metrics: Callable[[Setting], Sequence[str]]
    file: Callable[[Setting, str], str]
    per_setting: bool


CHARTS: dict[str, Chart] = {}
"""Every chart that was declared so far, by its name."""


def leading(setting: Setting) -> Sequence[str]:
    """Return the metric that leads, by which most charts are drawn."""
    return [setting.scores.selection]


def chart(
    name: str,
    *,
    place: int,
    needs: str,
    metrics: Callable[[Setting], Sequence[str]] = leading,
    file: Callable[[Setting, str], str] | None = None,
    per_setting: bool = True,
) -> Callable[[D], D]:
    """Declare that a function draws a chart; arguments as for `Chart`, and the file is called like it.

    Raises:
        ValueError: another chart has the name.
    """

    def declare(draw: D) -> D:
        if name in CHARTS:
            raise ValueError(f"A chart's name must be its own; got {name!r} twice. Take another one.")
        CHARTS[name] = Chart(name, place, needs, draw, metrics, file or (lambda *_: name), per_setting)
        return draw

    return declare
