"""Jobs by Hydra's own `run_job`, one inside the other, so that they can still be trained together.

`run_job` makes a job's folder and files, sets the current configuration, fires callbacks and calls the task
function in the middle. The task function of job i opens `run_job` of job i + 1; the innermost one trains them
all, and on the way out each returns its value or raises its error.
"""

from __future__ import annotations

import copy
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from clbench.errors import ConfigurationError
from clbench.launcher.folders import as_dict
from clbench.launcher.jobs import Job, Train, current_job

log = logging.getLogger(__name__)

FRAMES_PER_JOB = 16
"""Python frames that a nested job takes; the recursion limit is raised by as many."""


def run_nested(
    context: HydraContext, sweep: DictConfig, configs: Sequence[DictConfig], train: Train
) -> list[JobReturn]:
    """Run jobs, those that share their environment variables together; return each one's `JobReturn`.

    Args:
        context: Hydra's loader and callbacks.
        sweep: the configuration of the sweep.
        configs: one per job, `hydra` node included.
        train: called once for each group of jobs.
    """
    returned: dict[int, JobReturn] = {}
    places = sorted(range(len(configs)), key=lambda place: (_environment(configs[place]), place))
    for _, group in groupby(places, key=lambda place: _environment(configs[place])):
        members = list(group)
        nest = _Nest(context, [configs[place] for place in members], train)
        returned |= dict(zip(members, nest.run(), strict=True))
        configure_log(sweep.hydra.hydra_logging, sweep.hydra.verbose)
    return [returned[place] for place in range(len(configs))]


def _environment(config: DictConfig) -> list[tuple[str, str]]:
    """Return the environment variables that a job asks for, in a fixed order, and what sets it apart.

    A variable that is computed (`${…}`) can only be read inside the job: such a job trains alone.
    """
    plain = as_dict(config.hydra.job.env_set, resolve=False)
    wanted = sorted((key, str(value)) for key, value in plain.items())
    computed = any("${" in value for _, value in wanted)
    return [*wanted, ("", str(config.hydra.job.num))] if computed else wanted


class _Nest:
    """Hydra's `run_job` of several jobs, one inside the other.

    Args:
        context: Hydra's loader and callbacks.
        configs: one per job, `hydra` node included.
        train: called once, inside all of them.
    """

    def __init__(self, context: HydraContext, configs: Sequence[DictConfig], train: Train) -> None:
        self.context = context
        self.configs = configs
        self.train = train
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
            # Before the job's own task: its folder's name, say, can't be resolved.
            self.outcomes[place] = error
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
            outcomes = self.train(jobs, None) if jobs else []
        except Exception as error:
            outcomes = [error] * len(jobs)
        if len(outcomes) != len(jobs):
            raise ValueError(
                f"run_lanes must return one outcome per job; got {len(outcomes)} of {len(jobs)}."
            )
        self.outcomes |= zip(self.jobs, outcomes, strict=True)
