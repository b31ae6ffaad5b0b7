"""The command `clbench`: a Hydra application. Heavy libraries are imported when something trains."""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from clbench.launcher import places
from clbench.launcher.arguments import for_hydra
from clbench.launcher.explain import explain
from clbench.launcher.folders import labels, typed, unresolved
from clbench.launcher.jobs import Job, unused_keys
from clbench.launcher.present import BAD_CONFIGURATION, Present, show
from clbench.launcher.session import RunFailed, train_jobs

FAILED, INTERRUPTED = 1, 130


def train(config: DictConfig) -> float:
    """Train one job as Hydra's own launchers and a plain run do it: a cohort of one.

    Returns:
        ACC, oriented so that more is better; see `session.train_jobs`.
    """
    hydra_config = HydraConfig.get()
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    names = labels(plain, hydra_config.runtime.choices, typed(hydra_config.overrides.task))
    unused = unused_keys(unresolved(config))
    (outcome,) = run_lanes([Job(plain, names, Path(hydra_config.runtime.output_dir), unused=unused)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run_lanes(jobs: Sequence[Job], begin: Callable[[], None] | None = None) -> list[float | Exception]:
    """Train many jobs together; what the launcher `lanes` calls instead of `train`, once per sweep.

    Args:
        jobs: the sweep's jobs.
        begin: called when no problem was found in any job, before anything trains.
    """
    return train_jobs(jobs, begin, None if begin is None else Present.folder)


train.run_lanes = run_lanes  # type: ignore[attr-defined]


def main() -> None:
    """Run the command line: train, show the outcome, and turn a user's mistakes into one line each."""
    places.register()
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # else the first picture tells of a font cache
    sys.path.append(os.getcwd())  # a class of the user's own module works through `_target_`
    traceback_wanted = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print the error itself and exit with 1
    arguments = sys.argv[1:]
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
        sys.stderr.write(f"A run failed; the others are whole. {error}\n")
        sys.exit(FAILED)
    except Exception as error:
        lines = None if traceback_wanted else explain(error, arguments)
        if lines is None:
            raise
        sys.stderr.write("\n".join(lines) + "\n")
        sys.exit(BAD_CONFIGURATION)


def _show() -> None:
    if Present.folder is not None:
        show(Present.folder)


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
