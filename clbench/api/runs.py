"""`clbench.run`: runs made in Python, trained together into a folder."""

from __future__ import annotations

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from clbench.api.results import Results, load
from clbench.config import fingerprint
from clbench.engine import find_problems
from clbench.errors import raise_together
from clbench.execution import Execution, shared_problems
from clbench.launcher.building import part_kinds
from clbench.launcher.destinations import folder_problems
from clbench.launcher.folders import readable
from clbench.records import write_sweep
from clbench.records.provenance import SHAPING, own_config
from clbench.runs import Run
from clbench.session.progress import bar, silent
from clbench.session.session import Entry, Session
from clbench.sources import training_sources


def run(
    runs: Run | Iterable[Run],
    folder: Path | str | None = None,
    *,
    progress: bool = True,
    **execution: Any,
) -> Results:
    """Train runs together and return their results; each has the same bits as if it were alone.

    Args:
        runs: one or many, of any mixture; what equal runs have is trained once.
        folder: where their files go, each run's in a folder of its own. What is finished there is not trained
            again. None for a temporary folder, which lives as long as the results.
        progress: whether a line on standard error says how far training is.
        execution: fields of `clbench.execution.Execution` besides the device, which each run has of its own:
            `threads=1`, `memory="8GB"`, `cache=False`.

    Raises:
        ConfigurationError: names all problems of all runs; nothing was trained.
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    raise_together([*shared_problems(execution), *_problems(runs, folder)])
    with results_in(folder) as (place, results):
        session = Session(Entry(each, place / folder_name(each)) for each in runs)
        raise_together(session.mixing_problems(place, "folder"))
        summaries = session.train(Execution(**execution), progress=bar if progress else silent)
    failed = [summary for summary in summaries.values() if summary["status"] == "failed"]
    warn_of_failed([f"{summary['run']}: {summary['message']}" for summary in failed])
    return results()


def warn_of_failed(errors: Sequence[str]) -> None:
    """Warn of runs that ended by an error of a part, whose rows say `failed`."""
    if errors:
        count = "1 run" if len(errors) == 1 else f"{len(errors)} runs"
        warnings.warn(f"{count} failed. The first error: {errors[0]}", RuntimeWarning, stacklevel=3)


def _problems(runs: Sequence[Run], folder: Path | str | None) -> list[str]:
    found = [] if folder is None else folder_problems(Path(folder).absolute())
    if not runs:
        found.append("clbench.run must be given a run or several; got none. Make one with clbench.Run.")
    kinds = [_kind_problems(each) for each in runs]
    found += chain.from_iterable(kinds)
    return found + find_problems([each for each, wrong in zip(runs, kinds, strict=True) if not wrong])


def _kind_problems(run: Run) -> list[str]:
    """Return a line for every part that is none."""
    if not isinstance(run, Run):
        return [
            f"clbench.run must be given values of clbench.Run; got {run!r}. Make them by clbench.compose."
        ]
    return [
        f"{name} of a Run must be a {kind.__name__}; got {name}={getattr(run, name)!r}. "
        f"Make one of a class in clbench.{name.replace('strategy', 'strategie')}s."
        for name, kind in part_kinds().items()
        if not isinstance(getattr(run, name), kind)
    ]


def folder_name(run: Run) -> str:
    """Return the name of a run's folder in its sweep: a readable part, and the hash of all that shapes it."""
    config = own_config(run)
    names = {part: run.labels.get(part, type(getattr(run, part)).__name__) for part in ("stream", "strategy")}
    parts = [getattr(run, part) for part in SHAPING]
    digest = fingerprint(training_sources(), parts, run.seed, dict(run.labels))
    return f"{readable(config, names)}-{digest[:10]}"


@contextmanager
def results_in(folder: Path | str | None) -> Iterator[tuple[Path, Callable[[], Results]]]:
    """Yield the folder to write into and what reads its results; None for a temporary one.

    That one goes with its results, or at once where there are none because of an error.
    """
    if folder is not None:
        place = Path(folder).absolute()
        yield place, lambda: _collect(place)
        return
    place = Path(tempfile.mkdtemp(prefix="clbench-"))

    def results() -> Results:
        found = _collect(place)
        weakref.finalize(found.records, shutil.rmtree, place, ignore_errors=True)
        return found

    try:
        yield place, results
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _collect(folder: Path) -> Results:
    """Write `runs.csv` of what has ended in a folder, and return it."""
    write_sweep(folder)
    return load(folder)
