"""What Hydra must be told in another way than a person types it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from clbench.launcher.places import GROUP, root
from clbench.launcher.schema import PARTS

RUNNING = ("-m", "--multirun", "-cd", "--config-dir")
"""Flags of a command that runs something."""


def for_hydra(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, with single values of what a study sweeps as sweeps of one value.

    Hydra composes the sweep's own configuration with all single values before any grid is known, and
    `strategy.lam=1` would fail there for a study whose first strategy has no λ. It leaves sweeps alone.
    """
    flags = [word for word in arguments if word.startswith("-")]
    if any(flag.partition("=")[0] not in RUNNING for flag in flags) or asks_for_one_run(arguments):
        return list(arguments)
    swept = _swept_fields(arguments)
    found = []
    for word in arguments:
        key, _, value = word.partition("=")
        is_single = key in swept and value and not re.search(r"[,()]", re.sub(r"\[.*\]", "", value))
        found.append(f"{key}=choice({value})" if is_single else word)
    return found


def asks_for_one_run(arguments: Sequence[str]) -> bool:
    """Tell whether a study is to be run once, with its own fields, and not as a sweep."""
    return "hydra.mode=RUN" in arguments


def _swept_fields(arguments: Sequence[str]) -> set[str]:
    """Return the fields of parts that the grids of the named studies sweep."""
    names = [
        name
        for word in arguments
        if word.startswith(f"{GROUP}=")
        for name in word[len(GROUP) + 1 :].split(",")
    ]
    keys = [
        str(key)
        for name in names
        for folder in (*_config_folders(arguments), root())
        for grid in _grids(folder / GROUP / f"{name}.yaml")
        for key in grid
    ]
    return {key for key in keys if key.partition(".")[0] in PARTS and "." in key}


def _config_folders(arguments: Sequence[str]) -> list[Path]:
    """Return the folder that `--config-dir` adds, if there is one."""
    flags = ("-cd", "--config-dir")
    apart = [word for before, word in zip(arguments, arguments[1:], strict=False) if before in flags]
    joined = [
        word.partition("=")[2] for word in arguments if word.startswith(tuple(f"{flag}=" for flag in flags))
    ]
    return [Path(word) for word in (*apart, *joined)]


def _grids(file: Path) -> list[dict[str, object]]:
    """Return the grids in a study's file; none where it isn't one, which Hydra or the sweeper will tell."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [grid for grid in content["study"]["grids"] if isinstance(grid, dict)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return []
