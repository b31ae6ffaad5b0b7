"""One colour and dash per strategy, the same in every picture.

Colours are those of Okabe and Ito (2008), distinguishable with every common form of colour blindness;
yellow is left out, for it can't be read on white.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

Look = tuple[str, str | tuple[float, tuple[float, ...]]]
"""A colour and a dash."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"

TASK_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY, BLACK)
"""Colours of the tasks in their order: A is blue, B orange."""

SOLID, DASHED, DOTTED, DASHDOT = "-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (5, 1.5, 1.2, 1.5))

STRATEGY_LOOKS: dict[str, Look] = {
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
"""Colours of a strategy's variants, which share its own colour; naive's and joint's are not among them."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")

MANY = 15
"""Points on a line from which they are drawn small, and only round λ are named."""


def strategy_look(name: str) -> Look:
    """Return the colour and dash of a strategy: the same in every picture, whatever else is drawn."""
    if name in STRATEGY_LOOKS:
        return STRATEGY_LOOKS[name]
    digest = hashlib.sha256(name.encode()).digest()
    colours = (SKY, PURPLE, GREEN, ORANGE, BLUE, GREY)
    return colours[digest[0] % len(colours)], (DASHED, DASHDOT, DOTTED, SOLID)[digest[1] % 4]


def line_look(line: str, strategy: str, looks: Mapping[str, Look] | None) -> Look:
    """Return the colour and dash of a line: those given for it, else those of its strategy."""
    return (looks or {}).get(line) or strategy_look(strategy)


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
