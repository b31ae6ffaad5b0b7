"""Train a sweep's jobs together: skip the finished, show progress, write each run when it is done."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import raise_together
from clbench.launcher.jobs import Job, build_runs
from clbench.launcher.objective import objective_of

if TYPE_CHECKING:
    from clbench.digests import RunFiles
    from clbench.engine.results import RunResult
    from clbench.runs import Run

log = logging.getLogger(__name__)

FINISHED = ("done", "diverged")
"""What would come out the same if it ran again; a failed run is tried again."""


class RunFailed(RuntimeError):
    """A run ended by an error of a part, not by a number that grew too large."""


def train_jobs(
    jobs: Sequence[Job], begin: Callable[[], None] | None = None, sweep: Path | None = None
) -> list[float | None | Exception]:
    """Train the jobs that aren't finished yet; return each one's score, or its error.

    The score is the run's leading metric at the end on the split that `objective` names, averaged over tasks,
    higher is better (`records.criterion`). A run that diverged has none: None is what tuners take for a trial
    that failed, where NaN or a number could become the best, and other sweepers don't look at it.

    Args:
        jobs: in any order.
        begin: called when nothing was found wrong, before anything trains or is written.
        sweep: the folder whose table these jobs fill, all of the sweep's at once; None for single ones.

    Raises:
        ConfigurationError: names all problems of all jobs; nothing was trained.
    """
    from clbench.ingredients import Ingredients

    runs = build_runs(jobs)
    ingredients = Ingredients()
    files = [ingredients.of_run(run) for run in runs]
    if sweep is not None:
        raise_together(mixing_problems(sweep, {job.folder for job in jobs}, files))
    if begin is not None:
        begin()
    summaries: dict[int, Mapping[str, Any]] = {}
    waiting: list[int] = []
    first: dict[Path, int] = {}
    for number, job in enumerate(jobs):
        if first.setdefault(job.folder, number) != number:
            continue  # the same run again: two unlike ones for a folder are a problem
        summary = finished_summary(job.folder, runs[number], files[number])
        if summary is None:
            waiting.append(number)
        else:
            summaries[number] = summary
            _note(job, f"finished before: {summary['status']}")
    if summaries:
        log.info("%d of %d runs are finished already", len(summaries), len(first))
    if waiting:
        summaries |= _train(waiting, jobs, runs)
    return [outcome(summaries[first[job.folder]], objective_of(job.config)) for job in jobs]


def _train(waiting: Sequence[int], jobs: Sequence[Job], runs: Sequence[Run]) -> dict[int, Mapping[str, Any]]:
    """Train and write the runs of the given numbers; return their summaries by number."""
    from clbench.engine import train
    from clbench.engine.memory import parse_bytes
    from clbench.engine.store import StageStore, default_folder
    from clbench.records import write_run

    asked = trained = 0
    summaries: dict[int, Mapping[str, Any]] = {}
    began = time.perf_counter()

    def keep(place: int, result: RunResult) -> None:
        nonlocal asked, trained
        asked, trained = asked + len(result.tasks), trained + result.trained_here
        number = waiting[place]
        job = jobs[number]
        job.folder.mkdir(parents=True, exist_ok=True)
        summaries[number] = write_run(job.folder, runs[number], result, job.config)
        _note(job, _ending(summaries[number]))

    with progress(len(waiting)) as show:
        first = jobs[waiting[0]].config
        store = StageStore(default_folder()) if first.get("cache") else None
        memory = parse_bytes(first.get("memory"))
        chosen = [runs[number] for number in waiting]
        train(chosen, keep, show, threads=first.get("threads"), store=store, memory=memory)
    seconds = time.perf_counter() - began
    count = "1 run" if len(waiting) == 1 else f"{len(waiting)} runs"
    log.info("%s asked for %d stages; %d were trained, in %.1f s", count, asked, trained, seconds)
    return summaries


def finished_summary(folder: Path, run: Run, files: RunFiles) -> Mapping[str, Any] | None:
    """Return the summary of a run that has ended in this folder and was the same, or None.

    Args:
        folder: the run's.
        run: what is asked for.
        files: digests of the user's files that shape it, as they are now.
    """
    from clbench.records.provenance import contents, identity, unlike

    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        ours, theirs = identity(run, files), summary["provenance"]
        if all(ours[key] == theirs[key] for key in ("config_hash", "sources")):
            return summary if summary["status"] in FINISHED else None
        if changed := unlike(contents([files]), theirs):
            log.info("%s is trained again: %s changed", folder.name, " and ".join(changed))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no whole summary of ours: the run is not finished
    return None


def mixing_problems(sweep: Path, asked: Collection[Path], files: Sequence[RunFiles]) -> Iterable[str]:
    """Yield a line where runs of other data or code, which nobody asks for again, would share our table.

    Args:
        sweep: the folder of the table.
        asked: the folders of the runs that are asked for.
        files: digests of the user's files that shape each of them, as they are now.
    """
    from clbench.records.provenance import contents, unlike
    from clbench.records.sweep import other_provenances

    known = contents(files)
    changed = [names for theirs in other_provenances(sweep, asked) if (names := unlike(known, theirs))]
    if changed:
        names = " and ".join(dict.fromkeys(chain.from_iterable(changed)))
        yield (
            "Runs of one sweep must be of the same data and code; got "
            f"{len(changed)} in hydra.sweep.dir={sweep} from before {names} changed. "
            "Choose another folder, or ask for those runs again as well."
        )


def outcome(summary: Mapping[str, Any], split: str) -> float | None | Exception:
    """Return what a job returns to Hydra: the run's score on a split, or the error that ended it."""
    from clbench.records.criterion import criterion_of

    if summary["status"] == "failed":
        return RunFailed(f"{summary['run']}: {summary['message']}")
    return criterion_of(summary, split)


def _ending(summary: Mapping[str, Any]) -> str:
    if summary["status"] == "diverged":
        step = summary["diverged_after"]
        return "not finite at step 0" if step is None else f"diverged after step {step}"
    if summary["status"] == "failed":
        return f"failed: {summary['message']}"
    return f"done: {summary['steps']} steps, acc {summary['acc']:.6g}"


def _note(job: Job, text: str) -> None:
    """Write a line into the job's own log, in the form of Hydra's."""
    if job.log is not None:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        with job.log.open("a", encoding="utf-8") as file:
            file.write(f"[{now}][{__name__}][INFO] - {text}\n")


@contextmanager
def progress(runs: int) -> Iterator[Callable[[float, str], None] | None]:
    """Show a bar with the time left on a terminal; yield what reports the share done, None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{runs} runs" if runs > 1 else "1 run", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=f"{runs} runs, {text}")
