"""The command `clbench`: a Hydra application. Heavy libraries are imported when something trains."""

from __future__ import annotations

import errno
import logging
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from clbench.launcher import places
from clbench.launcher.arguments import for_hydra
from clbench.launcher.destinations import OWNERS, length_problems
from clbench.launcher.explain import explain
from clbench.launcher.jobs import Job, current_job
from clbench.launcher.leftovers import remove_untrained
from clbench.launcher.objective import preset_problems, search_problem
from clbench.launcher.present import BAD_CONFIGURATION, Present, show
from clbench.launcher.session import RunFailed, train_jobs

FAILED, INTERRUPTED = 1, 130


def train(config: DictConfig) -> float | None:
    """Train one job as Hydra's own launchers and a plain run do it: a cohort of one.

    Returns:
        The run's score on the split `objective`, higher is better, None if it diverged; see
        `session.train_jobs`.
    """
    job = current_job(config)
    with chdir(HydraConfig.get().runtime.cwd):  # relative paths of data are the command's, not the job's
        (outcome,) = run_lanes([job])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run_lanes(jobs: Sequence[Job], begin: Callable[[], None] | None = None) -> list[float | None | Exception]:
    """Train many jobs together; what the launcher `lanes` calls instead of `train`, once per sweep.

    Args:
        jobs: the sweep's jobs.
        begin: called when no problem was found in any job, before anything trains.
    """
    from clbench.records.commands import note_command

    def start() -> None:
        if begin is not None:
            begin()
        if Present.folder is not None:
            note_command(Present.folder, Present.arguments)

    return train_jobs(jobs, start, None if begin is None else Present.folder)


train.run_lanes = run_lanes  # type: ignore[attr-defined]


def main() -> None:
    """Run the command line: train, show the outcome, and turn a user's mistakes into one line each."""
    arguments = sys.argv[1:]
    _end_if(preset_problems(arguments))
    places.register()
    Plugins.instance().register(places.StudySearchPath)  # with a primary folder of the user's own, too
    OWNERS.clear()
    Present.folder, Present.made, Present.arguments = None, (), arguments
    logging.getLogger("matplotlib").setLevel(
        logging.WARNING
    )  # else the first picture logs a line on a font cache
    sys.path.append(os.getcwd())  # a class of the user's own module works through `_target_`
    traceback_wanted = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print the error itself and exit with 1
    sys.argv[1:] = for_hydra(arguments)
    command = hydra.main(config_path=places.conf(), config_name="config", version_base="1.3")(train)
    try:
        command()
        _show()
    except KeyboardInterrupt:
        sys.stderr.write(_how_to_go_on(arguments))
        sys.exit(INTERRUPTED)
    except RunFailed as error:
        _show()
        sys.stderr.write(f"{_how_runs_ended()} {error}\n")
        sys.exit(FAILED)
    except Exception as error:
        if line := search_problem(error):
            _show()
            sys.stderr.write(f"{line}\n")
            sys.exit(FAILED)
        lines = None if traceback_wanted else path_problems(error) or explain(error, arguments)
        if lines is None:
            raise
        remove_untrained(Present.made)
        if any((folder / "summary.json").is_file() for folder in OWNERS):
            _show()  # what has ended before another job was found wrong
        _end_if(lines)
    finally:
        Present.reporter.stop()


def path_problems(error: Exception) -> list[str]:
    """Return the line for a folder that Hydra couldn't make since its name is too long."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return length_problems(Path(error.filename))
    return []


def _end_if(problems: Sequence[str]) -> None:
    """Print a user's mistakes, a line each, and leave; return where there is none."""
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        sys.exit(BAD_CONFIGURATION)


def _show() -> None:
    if Present.folder is not None:
        show(Present.folder)


def _how_runs_ended() -> str:
    """Return how many runs of the folder failed, and what became of the others."""
    from clbench.records import read_summaries

    ended = Counter(str(summary["status"]) for summary in read_summaries(Present.folder or Path()))
    others = ", ".join(f"{ended[status]} {status}" for status in ("done", "diverged") if ended[status])
    total = "1 run" if ended.total() == 1 else f"{ended.total()} runs"
    return f"{ended['failed']} of {total} failed, {others or 'none is done'}. The first error:"


def _how_to_go_on(arguments: Sequence[str]) -> str:
    """Return what to type so that the runs that have ended stay and the others are trained."""
    from clbench.records import find_runs, write_sweep

    folder = Present.folder
    if folder is None or not folder.is_dir():
        return "\nInterrupted before anything was trained.\n"
    finished = len(find_runs(folder))
    if finished:
        write_sweep(folder)
    key = "hydra.sweep.dir" if Present.is_sweep else "hydra.run.dir"
    given = [word for word in arguments if not word.startswith(f"{key}=")]
    value = str(folder) if re.fullmatch(r"[\w./:+-]+", str(folder)) else f"'{folder}'"
    program = Path(sys.argv[0]).name
    start = ["python", "-m", "clbench"] if program.startswith("-") or program.endswith(".py") else [program]
    again = shlex.join([*start, *given, f"{key}={value}"])
    runs = "1 run is" if finished == 1 else f"{finished} runs are"
    return f"\nInterrupted. {runs} finished and whole, in {folder}\nTo go on with the others:\n  {again}\n"


if __name__ == "__main__":
    main()
