"""Which commands have filled a folder: a line each, in the order in which they first trained into it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from clbench.records.files import write_whole

COMMANDS = "commands.txt"

PLACES = ("hydra.sweep.dir=", "hydra.run.dir=")
"""Arguments that say where results go, and not what they are."""


def note_command(folder: Path, arguments: Sequence[str]) -> None:
    """Add a command to those of a folder, unless it is there; made again elsewhere, it gives the same bytes.

    Args:
        folder: of a sweep, or of a run by itself.
        arguments: as typed, without the program's name.
    """
    line = shlex.join(["clbench", *(word for word in arguments if not word.startswith(PLACES))])
    noted = read_commands(folder)
    if line not in noted:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / COMMANDS, "".join(f"{item}\n" for item in (*noted, line)).encode())


def read_commands(folder: Path) -> list[str]:
    """Return the commands that have filled a folder; none where that isn't noted."""
    path = folder / COMMANDS
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
