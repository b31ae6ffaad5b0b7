"""What a report says of a picture; without matplotlib, which takes its time to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """A picture that was written.

    Args:
        title: what it shows; in the page, its alternative text.
        caption: how to read it, with the number of seeds.
        png, svg: its files.
    """

    title: str
    caption: str
    png: Path
    svg: Path
