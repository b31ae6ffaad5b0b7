"""Train a sweep's jobs together, and return the score of each one's run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clbench.errors import raise_together
from clbench.execution import execution_of
from clbench.launcher.building import build_runs
from clbench.launcher.jobs import Job
from clbench.launcher.objective import objective_of
from clbench.session.progress import Progress, bar


class RunFailed(RuntimeError):
    """A run ended by an error of a part, not by a number that grew too large."""


def train_jobs(
    jobs: Sequence[Job],
    begin: Callable[[], None] | None = None,
    sweep: Path | None = None,
    progress: Progress = bar,
) -> list[float | None | Exception]:
    """Train the jobs that aren't finished yet; return each one's score, or its error.

    The score is the run's leading metric at the end on the split that `objective` names, averaged over tasks,
    higher is better (`records.criterion`). A run that diverged has none: None is what tuners take for a trial
    that failed, where NaN or a number could become the best, and other sweepers don't look at it.

    Args:
        jobs: in any order.
        begin: called when nothing was found wrong, before anything trains or is written.
        sweep: the folder whose table these jobs fill, all of the sweep's at once; None for single ones.
        progress: shows how far training is.

    Raises:
        ConfigurationError: names all problems of all jobs; nothing was trained.
    """
    runs = build_runs(jobs)
    from clbench.session.session import Entry, Session

    entries = (Entry(run, job.folder, job.config, job.log) for run, job in zip(runs, jobs, strict=True))
    session = Session(entries)
    if sweep is not None:
        raise_together(session.mixing_problems(sweep, "hydra.sweep.dir"))
    if begin is not None:
        begin()
    summaries = session.train(execution_of(jobs[0].config), progress=progress)
    return [outcome(summaries[job.folder], objective_of(job.config)) for job in jobs]


def outcome(summary: Mapping[str, Any], split: str) -> float | None | Exception:
    """Return what a job returns to Hydra: the run's score on a split, or the error that ended it."""
    from clbench.records.criterion import criterion_of

    if summary["status"] == "failed":
        return RunFailed(f"{summary['run']}: {summary['message']}")
    return criterion_of(summary, split)
