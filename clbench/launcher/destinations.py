"""Folders that runs are written to: writable, named briefly enough, and one for each run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.launcher.jobs import Job

if TYPE_CHECKING:  # the commands that train nothing start without torch
    from clbench.runs import Run

LONGEST_NAME = 255
"""Bytes of a file's or folder's name."""

OWNERS: dict[Path, Run] = {}
"""The run of every folder of this command; Hydra's own launchers bring the jobs of a sweep one by one."""


def twin_problems(jobs: Sequence[Job], runs: Sequence[Run]) -> list[str]:
    """Return a line for every folder that unlike runs of a command would share; equal runs are one run."""
    unlike: dict[Path, int] = {}
    for job, run in zip(jobs, runs, strict=True):
        if OWNERS.setdefault(job.folder, run) != run:
            unlike[job.folder] = unlike.get(job.folder, 1) + 1
    return [
        f"Runs that differ must have folders of their own; got {folder} for {count} of them. "
        "Leave hydra.sweep.subdir out, or put into it what differs: 'hydra.sweep.subdir=seed${seed}'."
        for folder, count in unlike.items()
    ]


def length_problems(folder: Path) -> list[str]:
    """Return a line for every part of a path that is longer than file systems take."""
    return [
        f"A folder's name must have at most {LONGEST_NAME} bytes; got {len(os.fsencode(part))} in "
        f"{part[:40]}…. Choose a shorter hydra.sweep.dir or hydra.sweep.subdir, for one run hydra.run.dir."
        for part in folder.parts
        if len(os.fsencode(part)) > LONGEST_NAME
    ]


def folder_problems(folder: Path) -> list[str]:
    """Return a line if nothing can be written below a folder."""
    if found := length_problems(folder):
        return found
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return []
    reason = "no permission" if place.is_dir() else f"{place} is a file"
    return [
        f"The results folder must be one that can be written; got {folder} ({reason}). "
        "Choose another: hydra.sweep.dir=… for a sweep, hydra.run.dir=… for one run."
    ]
