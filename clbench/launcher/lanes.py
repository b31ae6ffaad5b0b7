"""The launcher `lanes`: all jobs of a sweep are handed over together, and each still looks like Hydra's own.

Hydra's `run_job` makes a job's folder and files, sets the current configuration, fires callbacks and calls
the task function in the middle. Where somebody may look at any of that, the task function of job i opens
`run_job` of job i + 1; the innermost one trains them all, and on the way out each returns its value or raises
its error. Where nobody can, `direct` writes the same files itself.
"""

from __future__ import annotations

import copy
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clbench.errors import ConfigurationError
from clbench.launcher.compose import Composer, number
from clbench.launcher.direct import Direct, DirectReturn, Page, can_go_direct
from clbench.launcher.folders import labels, typed, unresolved
from clbench.launcher.jobs import Job, unused_keys
from clbench.launcher.objective import is_tuned

log = logging.getLogger(__name__)

FRAMES_PER_JOB = 16
"""Python frames that a nested job takes; the recursion limit is raised by as many."""


class Lanes:
    """Launches the jobs of one sweep.

    Args:
        hydra_context: Hydra's loader and callbacks.
        task_function: called once per job, or its attribute `run_lanes` once per sweep where it has one.
        config: the configuration of the sweep.
    """

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run the jobs; return what Hydra expects of each, in the order of the overrides.

        Raises:
            ConfigurationError: some jobs' configurations break rules; nothing was trained.
        """
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        if not callable(getattr(self.task_function, "run_lanes", None)):
            log.info("Launching %d jobs locally", len(job_overrides))
            return [self._run_alone(*job) for job in zip(numbers, job_overrides, strict=True)]
        return self._run_together(numbers, job_overrides)

    def _run_alone(self, job: int, overrides: Sequence[str]) -> JobReturn:
        log.info("\t#%d : %s", job, " ".join(filter_overrides(overrides)))
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        number(config, job)
        returned = run_job(
            hydra_context=self.context,
            task_function=self.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        return returned

    def _run_together(
        self, numbers: Sequence[int], job_overrides: Sequence[Sequence[str]]
    ) -> list[JobReturn]:
        composer = Composer(self.context.config_loader, self.config)
        if can_go_direct(self.context, self.config):
            pages = Direct(composer, self.config).pages(numbers, job_overrides)
            if pages is not None:
                return self._run_pages(pages)
        configs = []
        for job, overrides in zip(numbers, job_overrides, strict=True):
            configs.append(composer.compose(overrides))
            number(configs[-1], job)
        return self._run_nested(configs)

    def _run_pages(self, pages: Sequence[Page]) -> list[JobReturn]:
        def begin() -> None:
            for page in pages:
                page.write(str(self.config.hydra.output_subdir))

        outcomes = self.task_function.run_lanes([page.job for page in pages], begin)  # type: ignore[attr-defined]
        return [DirectReturn(page, outcome) for page, outcome in zip(pages, outcomes, strict=True)]

    def _run_nested(self, configs: Sequence[DictConfig]) -> list[JobReturn]:
        returned: dict[int, JobReturn] = {}
        places = sorted(range(len(configs)), key=lambda place: (_environment(configs[place]), place))
        for _, group in groupby(places, key=lambda place: _environment(configs[place])):
            members = list(group)
            nest = Nest(self.context, self.task_function, [configs[place] for place in members])
            returned |= dict(zip(members, nest.run(), strict=True))
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        return [returned[place] for place in range(len(configs))]


def _environment(config: DictConfig) -> list[tuple[str, str]]:
    """Return the environment variables that a job asks for, in a fixed order, and what tells it from others.

    A variable that is computed (`${…}`) can only be read inside the job: such a job trains alone.
    """
    plain = OmegaConf.to_container(config.hydra.job.env_set, resolve=False)
    assert isinstance(plain, dict)
    wanted = sorted((str(key), str(value)) for key, value in plain.items())
    computed = any("${" in value for _, value in wanted)
    return [*wanted, ("", str(config.hydra.job.num))] if computed else wanted


class Nest:
    """Hydra's `run_job` of several jobs, one inside the other.

    Args:
        context, task_function: as Hydra gave them to the launcher.
        configs: one per job, `hydra` node included.
    """

    def __init__(self, context: HydraContext, task_function: Any, configs: Sequence[DictConfig]) -> None:
        self.context = context
        self.task_function = task_function
        self.configs = configs
        self.base = os.getcwd()
        self.jobs: dict[int, Job] = {}
        self.returned: dict[int, JobReturn] = {}
        self.outcomes: dict[int, Any] = {}

    def run(self) -> list[JobReturn]:
        """Run all jobs; return each one's `JobReturn`."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + FRAMES_PER_JOB * len(self.configs))
        try:
            self._open(0)
        finally:
            sys.setrecursionlimit(limit)
        for outcome in self.outcomes.values():
            if isinstance(outcome, ConfigurationError):
                raise outcome
        return [self.returned[place] for place in range(len(self.configs))]

    def _open(self, place: int) -> None:
        """Open a job's `run_job`, and inside it those of all jobs after it; past the last one, train."""
        os.chdir(self.base)  # a relative sweep folder must not nest where jobs change into theirs
        if place == len(self.configs):
            self._train()
            return
        try:
            self.returned[place] = run_job(
                # Callbacks may keep state of one job between its start and its end.
                hydra_context=HydraContext(
                    config_loader=self.context.config_loader, callbacks=copy.deepcopy(self.context.callbacks)
                ),
                task_function=self._task(place),
                config=self.configs[place],
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                configure_logging=False,
            )
        except Exception as error:
            if place in self.jobs or place in self.outcomes:
                raise
            self.outcomes[place] = (
                error  # before the job's own task: its folder's name, say, can't be resolved
            )
            lines = list(self.configs[place].hydra.overrides.task)
            self.returned[place] = JobReturn(overrides=lines, status=JobStatus.FAILED, _return_value=error)
            self._open(place + 1)

    def _task(self, place: int) -> Callable[[DictConfig], Any]:
        def task(config: DictConfig) -> Any:
            here = os.getcwd()
            try:
                self.jobs[place] = current_job(config)
            except OmegaConfBaseException as error:  # a value can't be resolved; the other jobs go on
                self.outcomes[place] = error
            try:
                self._open(place + 1)
            finally:
                os.chdir(here)
            # Only now, so that the jobs' handlers, each with its own file, don't all stand open at once.
            configure_log(self.configs[place].hydra.job_logging, self.configs[place].hydra.verbose)
            outcome = self.outcomes[place]
            if isinstance(outcome, Exception):
                log.error("%s: %s", type(outcome).__name__, outcome)
                raise outcome
            log.info("returned %s", outcome)
            return outcome

        return task

    def _train(self) -> None:
        """Train the jobs that could be opened, and note each one's outcome."""
        jobs = list(self.jobs.values())
        try:
            outcomes = self.task_function.run_lanes(jobs, None) if jobs else []
        except Exception as error:
            outcomes = [error] * len(jobs)
        if len(outcomes) != len(jobs):
            raise ValueError(
                f"run_lanes must return one outcome per job; got {len(outcomes)} of {len(jobs)}."
            )
        self.outcomes |= zip(self.jobs, outcomes, strict=True)


def current_job(config: DictConfig) -> Job:
    """Return the job whose `HydraConfig` is current: `${hydra:…}` is resolved against it."""
    hydra = HydraConfig.get()
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    names = labels(plain, hydra.runtime.choices, typed(hydra.overrides.task))
    unused = unused_keys(unresolved(config))
    return Job(plain, names, Path(hydra.runtime.output_dir), unused=unused, tuned=is_tuned(hydra))
