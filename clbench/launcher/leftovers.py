"""What a refused command leaves behind: nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path


def missing_folders(folder: Path) -> list[Path]:
    """Return the folder and those above it that don't exist yet, innermost first."""
    return [place for place in (folder, *folder.parents) if not os.path.exists(place)]


def remove_untrained(made: Sequence[Path]) -> None:
    """Remove the folders that a command has made, unless a run in them has ended.

    Args:
        made: innermost first; none where the command writes into a folder that was there before.
    """
    if not made or any(made[0].rglob("summary.json")):
        return
    shutil.rmtree(made[0], ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty: something of another command lies there by now
        for place in made[1:]:
            place.rmdir()
