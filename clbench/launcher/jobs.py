"""Jobs as the application trains them, and the runs they describe; all problems found before any training."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from clbench.errors import ConfigurationError, known, raise_together
from clbench.launcher.kinds import field_problems, shown
from clbench.launcher.objective import name_problems, score_problems
from clbench.launcher.parts import make_part, plain_fields
from clbench.launcher.schema import KEYS, PARTS, TOP

if TYPE_CHECKING:
    from clbench.runs import Run

LONGEST_NAME = 255
"""Bytes of a file's or folder's name."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep, below Hydra.

    Args:
        config: the resolved task configuration as plain data.
        labels: names of the parts, for tables.
        folder: where its files go, absolute.
        log: the job's log file, or None where Hydra's own handlers write it.
        unused: top-level keys that nothing reads, as `unused_keys` finds them.
        tuned: whether a sweeper chooses by the run's score, which it then must have.
    """

    config: Mapping[str, Any]
    labels: Mapping[str, str]
    folder: Path
    log: Path | None = None
    unused: Sequence[str] = ()
    tuned: bool = False


def build_runs(jobs: Sequence[Job]) -> list[Run]:
    """Return the run of every job.

    Raises:
        ConfigurationError: names all problems of all jobs together.
    """
    found: list[str] = []
    runs: list[Run | None] = []
    build = Builder()
    for job in jobs:
        found += key_problems(job.unused)
        try:
            runs.append(build.run(job.config, job.labels))
        except ConfigurationError as error:
            found += error.problems
            runs.append(None)
    from clbench.engine import find_problems

    built = [run for run in runs if run is not None]
    found += find_problems(built)
    configs = [job.config for job in jobs]
    found += machine_problems(configs) + name_problems(configs)
    for folder in dict.fromkeys(job.folder.parent for job in jobs):
        found += folder_problems(folder)
    found += chain.from_iterable(length_problems(job.folder) for job in jobs)
    if not found:
        found += twin_problems(jobs, built)
        found += score_problems((job.config, run) for job, run in zip(jobs, built, strict=True) if job.tuned)
    raise_together(found)
    return built


def problems_of(config: Mapping[str, Any], fits: bool = True) -> list[str]:
    """Return a line for every problem of one resolved task configuration.

    Args:
        config: the configuration, as plain data.
        fits: whether to look also at how the parts fit each other.
    """
    from clbench.engine import find_problems

    of_machine = machine_problems([config]) + name_problems([config])
    try:
        run = build_run(config, {})
    except ConfigurationError as error:
        return [*error.problems, *of_machine]
    if fits:
        return find_problems([run]) + of_machine
    alone = (run.strategy, run.optimizer, run.training, run.evaluation)
    return [line for part in alone for line in part.problems()] + of_machine


def build_run(config: Mapping[str, Any], labels: Mapping[str, str]) -> Run:
    """Return the run that one resolved configuration describes.

    Raises:
        ConfigurationError: a part can't be made; bounds are checked by `engine.find_problems`.
    """
    return Builder().run(config, labels)


def part_kinds() -> dict[str, type]:
    """Return what each part must be an instance of."""
    from clbench.models.base import Model
    from clbench.optimizers import Optimizer
    from clbench.strategies.base import Strategy
    from clbench.streams.base import StreamSource

    return {"stream": StreamSource, "model": Model, "strategy": Strategy, "optimizer": Optimizer}


class Builder:
    """Makes the parts of runs; equal configurations give the same (frozen) part."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}

    def run(self, config: Mapping[str, Any], labels: Mapping[str, str]) -> Run:
        """Return the run of one resolved configuration; see `build_run`."""
        from clbench.runs import Run

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
        if lacking := [name for name in ("seed", "device") if config.get(name) is None]:
            found.append(f"A run must have all of its keys; got no {' and no '.join(lacking)}. Give it one.")
        raise_together(found)
        return Run(**parts, seed=config["seed"], device=config["device"], labels=dict(labels))

    def _make(self, name: str, node: Any) -> Any:
        from clbench.config import Evaluation, Training

        if name in ("training", "evaluation"):
            kind = Training if name == "training" else Evaluation
            raise_together(field_problems(name, kind, node or {}))
            return kind(**_tuples(node or {}))
        blank = dict(node) | dict.fromkeys(plain_fields(node)) if isinstance(node, Mapping) else node
        like = f"like {name}" + json.dumps(blank, sort_keys=True, default=str)
        self.parts[like] = make_part(name, node, self.parts.get(like), part_kinds()[name])
        return self.parts[like]


def _tuples(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}


def unused_keys(task: Mapping[str, Any]) -> list[str]:
    """Return the top-level keys, with their values, that are no run's and that no value refers to.

    Args:
        task: a task configuration as plain data, with its interpolations as they stand.
    """
    text = repr(task)
    return [
        f"{key}={shown(value)}"
        for key, value in task.items()
        if key not in KEYS and not re.search(rf"\$\{{[^}}]*\b{re.escape(str(key))}\b", text)
    ]


def key_problems(unused: Iterable[str]) -> list[str]:
    """Return a line for every top-level key that nothing reads."""
    return [
        f"A top-level key must be one that is read; got {line}. {known(KEYS)} "
        "A key of your own must be used by another, as in optimizer.lr='${key}'."
        for line in unused
    ]


def plain_task(config: DictConfig) -> dict[str, Any]:
    """Return the resolved task of a configuration whose node `hydra` can't be resolved yet.

    Raises:
        OmegaConfBaseException: an interpolation can't be resolved, or a value is missing.
    """
    values = {str(key): config[key] for key in config if key in KEYS}
    return {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in values.items()
    }


def choice_problems(overrides: Iterable[str]) -> list[str]:
    """Return a line for every key that is taken out, and for every list of choices of one group.

    Hydra would lay such choices one over the other.
    """
    lines = list(dict.fromkeys(overrides))
    choices = (line.partition("=") for line in lines)
    return [
        f"A run must have all of its keys; got {line.partition('=')[0]}. Give it another value instead."
        for line in lines
        if line.startswith("~") and line[1:].partition("=")[0] in TOP
    ] + [
        f"A run must have one choice of a group; got {group}={value}. "
        f"Sweep over them: -m {group}={value.strip('[]')}."
        for group, _, value in choices
        if group in PARTS and value.startswith("[")
    ]


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
