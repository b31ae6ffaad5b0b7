"""The launcher `lanes`: a sweep's jobs are handed over together, and each still looks like Hydra's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, configure_log, filter_overrides, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from clbench.launcher.hydra_jobs import run_jobs
from clbench.launcher.jobs import Train

log = logging.getLogger(__name__)


def launch(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Run the jobs of a sweep; return what Hydra expects of each, in the order of the overrides.

    Args:
        context: Hydra's loader and callbacks.
        task_function: called once per job, or its attribute `run_lanes` once per sweep where it has one.
        config: of the sweep.
        job_overrides: of every job, as typed.
        first: number of the first job.

    Raises:
        ConfigurationError: some jobs' configurations break rules; nothing was trained.
    """
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    run_lanes: Train | None = getattr(task_function, "run_lanes", None)
    if run_lanes is not None:
        return run_jobs(context, config, job_overrides, run_lanes, first)
    log.info("Launching %d jobs locally", len(job_overrides))
    numbered = enumerate(job_overrides, first)
    return [_run_alone(context, task_function, config, *job) for job in numbered]


def _run_alone(
    context: HydraContext, task_function: TaskFunction, sweep: DictConfig, job: int, overrides: Sequence[str]
) -> JobReturn:
    """Run one job of a task function that isn't ours, as Hydra's own launcher does."""
    log.info("\t#%d : %s", job, " ".join(filter_overrides(overrides)))
    config = context.config_loader.load_sweep_config(sweep, list(overrides))
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = job
    returned = run_job(
        hydra_context=context,
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    configure_log(sweep.hydra.hydra_logging, sweep.hydra.verbose)
    return returned
