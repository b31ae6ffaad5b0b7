"""`clbench.sweep` and `clbench.compose`: what the command line takes, in Python."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clbench.api.results import Results
from clbench.api.runs import results_in, warn_of_failed
from clbench.launcher.building import build_runs
from clbench.launcher.in_process import MULTIRUN, run_sweep
from clbench.launcher.jobs import Job
from clbench.launcher.leftovers import missing_folders, remove_untrained
from clbench.launcher.session import train_jobs
from clbench.records.commands import note_command
from clbench.runs import Run
from clbench.session.progress import bar, silent


def sweep(*overrides: str, folder: Path | str | None = None, progress: bool = True) -> Results:
    """Train what the command `clbench -m` trains, and return its results.

    Args:
        overrides: as on the command line: `"experiments=two_task_regression"`, `"strategy=naive,l2"`,
            `"seed=range(10)"`. Without a comma and a study, that is a single run.
        folder: where the files go, the same as the command writes. What is finished there is not trained
            again. None for a temporary folder, which lives as long as the results.
        progress: whether a line on standard error says how far training is.

    Raises:
        ConfigurationError: names all problems of all runs; nothing was trained.
    """
    errors: dict[str, None] = {}  # in order, those of a run that is asked for twice once
    with results_in(folder) as (place, results):

        def train(jobs: Sequence[Job], begin: Callable[[], None] | None) -> Sequence[Any]:
            def start() -> None:
                if begin is not None:
                    begin()
                note_command(place, [MULTIRUN, *overrides])

            table = None if begin is None else place
            outcomes = train_jobs(jobs, start, table, bar if progress else silent)
            errors.update({str(outcome): None for outcome in outcomes if isinstance(outcome, Exception)})
            return [None] * len(jobs)

        made = missing_folders(place)
        try:
            run_sweep(overrides, place, train)
        except BaseException:
            remove_untrained(made)
            raise
    warn_of_failed(list(errors))
    return results()


def compose(*overrides: str) -> list[Run]:
    """Return the runs that `clbench.sweep` would train, for `clbench.run`; nothing is trained or written.

    Args:
        overrides: as on the command line: `"strategy=ewc"`, `"strategy.lam=1,10"`.

    Raises:
        ConfigurationError: names all problems of all runs.
    """
    runs: list[Run] = []

    def keep(jobs: Sequence[Job], begin: Callable[[], None] | None) -> Sequence[Any]:
        runs.extend(build_runs(jobs))
        return [None] * len(jobs)

    with tempfile.TemporaryDirectory(prefix="clbench-") as folder:
        run_sweep(overrides, Path(folder), keep)
    return runs
