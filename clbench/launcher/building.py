"""The runs that jobs describe, made together, with all problems found before any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from clbench.errors import ConfigurationError, raise_together, shown
from clbench.execution import OF_RUN, SHARED, execution_of
from clbench.launcher.destinations import folder_problems, length_problems, twin_problems
from clbench.launcher.jobs import Job, key_problems
from clbench.launcher.kinds import kind_problems
from clbench.launcher.objective import name_problems, score_problems
from clbench.launcher.parts import make_part, plain_fields
from clbench.launcher.schema import PARTS

if TYPE_CHECKING:  # the commands that train nothing start without torch
    from clbench.runs import Run


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
    found += execution_problems(configs) + name_problems(configs)
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

    of_execution = execution_problems([config]) + name_problems([config])
    try:
        run = build_run(config, {})
    except ConfigurationError as error:
        return [*error.problems, *of_execution]
    if fits:
        return find_problems([run]) + of_execution
    alone = (run.strategy, run.optimizer, run.training, run.evaluation)
    return [line for part in alone for line in part.problems()] + of_execution


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
        if lacking := [name for name in ("seed", *OF_RUN) if config.get(name) is None]:
            found.append(f"A run must have all of its keys; got no {' and no '.join(lacking)}. Give it one.")
        raise_together(found)
        of_run = {name: config[name] for name in OF_RUN}
        return Run(**parts, seed=config["seed"], **of_run, labels=dict(labels))

    def _make(self, name: str, node: Any) -> Any:
        from clbench.config import Evaluation, Training

        if name in ("training", "evaluation"):
            kind = Training if name == "training" else Evaluation
            raise_together(kind_problems(name, kind, node or {}))
            return kind(**_tuples(node or {}))
        blank = dict(node) | dict.fromkeys(plain_fields(node)) if isinstance(node, Mapping) else node
        like = f"like {name}" + json.dumps(blank, sort_keys=True, default=str)
        self.parts[like] = make_part(name, node, self.parts.get(like), part_kinds()[name])
        return self.parts[like]


def _tuples(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}


def execution_problems(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for every setting of the machine that can't be, or that runs disagree on."""
    found = []
    for name in SHARED:
        values = list(dict.fromkeys(config.get(name) for config in configs))
        if len(values) > 1:
            given = ",".join(map(shown, values))
            found.append(f"All runs of a sweep share one {name}; got {name}={given}. Choose one.")
    return found + execution_of(configs[0]).problems()
