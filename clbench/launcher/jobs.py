"""Jobs as the application trains them, and the runs they describe; all problems found before any training."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import ConfigurationError, raise_together
from clbench.launcher.parts import make_part, plain_fields
from clbench.launcher.schema import PARTS

if TYPE_CHECKING:
    from clbench.config import Run


@dataclass(frozen=True)
class Job:
    """One job of a sweep, below Hydra.

    Args:
        config: the resolved task configuration as plain data.
        labels: names of the parts, for tables.
        folder: where its files go, absolute.
        log: the job's log file, or None where Hydra's own handlers write it.
    """

    config: Mapping[str, Any]
    labels: Mapping[str, str]
    folder: Path
    log: Path | None = None


def build_runs(jobs: Sequence[Job]) -> list[Run]:
    """Return the run of every job.

    Raises:
        ConfigurationError: names all problems of all jobs together.
    """
    found: list[str] = []
    runs: list[Run | None] = []
    build = Builder()
    for job in jobs:
        try:
            runs.append(build.run(job.config, job.labels))
        except ConfigurationError as error:
            found += error.problems
            runs.append(None)
    from clbench.engine import find_problems

    built = [run for run in runs if run is not None]
    found += find_problems(built)
    found += machine_problems([job.config for job in jobs])
    for folder in dict.fromkeys(job.folder.parent for job in jobs):
        found += folder_problems(folder)
    raise_together(found)
    return built


def problems_of(config: Mapping[str, Any]) -> list[str]:
    """Return a line for every problem of one resolved task configuration."""
    from clbench.engine import find_problems

    try:
        found = find_problems([build_run(config, {})])
    except ConfigurationError as error:
        found = list(error.problems)
    return found + machine_problems([config])


def build_run(config: Mapping[str, Any], labels: Mapping[str, str]) -> Run:
    """Return the run that one resolved configuration describes.

    Raises:
        ConfigurationError: a part can't be made; bounds are checked by `engine.find_problems`.
    """
    return Builder().run(config, labels)


class Builder:
    """Makes the parts of runs; equal configurations give the same (frozen) part."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}

    def run(self, config: Mapping[str, Any], labels: Mapping[str, str]) -> Run:
        """Return the run of one resolved configuration; see `build_run`."""
        from clbench.config import Run

        found: list[str] = []
        parts: dict[str, Any] = {}
        for name in (*PARTS, "training", "evaluation"):
            node = config.get(name)
            key = name + json.dumps(node, sort_keys=True, default=str)
            try:
                if key not in self.parts:
                    self.parts[key] = self._make(name, node)
                parts[name] = self.parts[key]
            except ConfigurationError as error:
                found += error.problems
        raise_together(found)
        return Run(**parts, seed=config["seed"], device=config["device"], labels=dict(labels))

    def _make(self, name: str, node: Any) -> Any:
        from clbench.config import Evaluation, Training

        if name in ("training", "evaluation"):
            return (Training if name == "training" else Evaluation)(**_tuples(node or {}))
        if not isinstance(node, Mapping):
            return make_part(name, node)
        blank = dict(node) | dict.fromkeys(plain_fields(node))
        like = f"like {name}" + json.dumps(blank, sort_keys=True, default=str)
        self.parts[like] = make_part(name, node, self.parts.get(like))
        return self.parts[like]


def _tuples(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}


def choice_problems(overrides: Iterable[str]) -> list[str]:
    """Return a line for every list of choices of one group, which Hydra would lay one over the other."""
    choices = (line.partition("=") for line in dict.fromkeys(overrides))
    return [
        f"A run must have one choice of a group; got {group}={value}. "
        f"Sweep over them: -m {group}={value.strip('[]')}."
        for group, _, value in choices
        if group in PARTS and value.startswith("[")
    ]


def machine_problems(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for every setting of threads or memory that can't be, or that runs disagree on."""
    from clbench.engine.memory import parse_bytes

    found = []
    for name in ("threads", "memory"):
        values = list(dict.fromkeys(config.get(name) for config in configs))
        if len(values) > 1:
            found.append(
                f"All runs of a sweep share one {name}; got {name}={','.join(map(str, values))}. Choose one."
            )
    threads, memory = (configs[0].get(name) for name in ("threads", "memory"))
    if threads is not None and threads < 1:
        found.append(f"threads must be at least 1, or null for all; got threads={threads}.")
    try:
        parse_bytes(memory)
    except ConfigurationError as error:
        found += error.problems
    return found


def folder_problems(folder: Path) -> list[str]:
    """Return a line if nothing can be written below a folder."""
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
