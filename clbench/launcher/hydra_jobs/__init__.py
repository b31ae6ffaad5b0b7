"""The jobs of a sweep as Hydra itself makes them, at a fraction of its cost; `run_jobs` is the only door.

Hydra takes 150 ms a job to compose it, to print its files and to call it. What stands in place of that gives
the same bytes, and tests compare it with Hydra:

- `templates`: one composition by Hydra for each choice of groups, in which plain values are set.
- `forms`: a YAML document printed once, with blanks that are filled in for each job.
- `direct`: a job's folder and files without `run_job`, where nothing of the user's would notice.
- `nest`: Hydra's own `run_job` of each job, one inside the other, everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from clbench.launcher.hydra_jobs.direct import compose_directly
from clbench.launcher.hydra_jobs.nest import run_nested
from clbench.launcher.hydra_jobs.templates import Composer
from clbench.launcher.jobs import Train

__all__ = ["run_jobs"]


def run_jobs(
    context: HydraContext,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    train: Train,
    first: int = 0,
) -> list[JobReturn]:
    """Compose all jobs of a sweep, train them by one call, and return what Hydra expects of each, in order.

    `train` is given the composed jobs, each with its labels and its folder. Their files (`.hydra/` and the
    log) are written when it calls `begin`; one that never does leaves nothing behind. Where callbacks, an
    environment, a folder or logging of the user's need Hydra's `run_job`, that has written the files before,
    and `begin` is None.

    Args:
        context: Hydra's loader and callbacks.
        config: of the sweep, `hydra` node included.
        job_overrides: of every job, as typed.
        train: called once with all jobs and `begin`; returns each one's outcome, an error or a value. (Jobs
            that need environments of their own come in several calls.)
        first: number of the first job.

    Raises:
        ConfigurationError: some jobs' configurations break rules; nothing was trained.
        HydraException: a job can't be composed.
    """
    composer = Composer(context.config_loader, config)
    composed = compose_directly(context, composer, config, first, job_overrides)
    if composed is None:
        numbered = enumerate(job_overrides, first)
        return run_nested(context, config, [composer.compose(*job) for job in numbered], train)

    def begin() -> None:
        for job in composed:
            job.write(str(config.hydra.output_subdir))

    outcomes = train([each.job for each in composed], begin)
    return [each.returned(outcome) for each, outcome in zip(composed, outcomes, strict=True)]
