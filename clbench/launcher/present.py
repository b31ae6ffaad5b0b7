"""What a person sees when a run or a sweep has ended, whichever launcher and sweeper carried it."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from clbench.launcher.arguments import asks_for_one_run
from clbench.launcher.building import problems_of
from clbench.launcher.destinations import folder_problems
from clbench.launcher.folders import typed, unresolved
from clbench.launcher.jobs import key_problems, override_problems, plain_task, unused_keys
from clbench.launcher.leftovers import missing_folders
from clbench.launcher.parts import one_line
from clbench.report.beside import Reporter

BAD_CONFIGURATION = 2
"""Exit code for a mistake of the user's."""


class Present(Callback):
    """Notes which folder is being filled; the application shows what is in it at the end."""

    folder: Path | None = None
    """The sweep's or run's folder of this process."""

    is_sweep: bool = False

    arguments: Sequence[str] = ()
    """The command's, as typed."""

    made: Sequence[Path] = ()
    """Folders that weren't there before the command, innermost first."""

    reporter = Reporter()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the sweep's folder."""
        Present.reporter.start()
        _note(Path(config.hydra.sweep.dir).absolute(), is_sweep=True)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the run's folder, unless there is a problem to report before Hydra makes it.

        Raises:
            SystemExit: problems were printed. (Any other exception of a callback becomes a warning in Hydra.)
        """
        if found := override_problems(typed(config.hydra.overrides.task)):
            self._stop(found)
        Present.reporter.start()
        folder = Path(config.hydra.run.dir).absolute()
        found += folder_problems(folder)
        if OmegaConf.select(config, "study.grids") and not asks_for_one_run(sys.argv):
            found.append(
                "A study with grids must be run as a sweep; got a single run. "
                "Write hydra: {mode: MULTIRUN} into the study, or add -m (hydra.mode=RUN for one run of it)."
            )
        found += key_problems(unused_keys(unresolved(config)))
        found += _value_problems(config, folder)
        if found:
            self._stop(found)
        _note(folder, is_sweep=False)

    def _stop(self, problems: Sequence[str]) -> NoReturn:
        sys.stderr.write("\n".join(problems) + "\n")
        sys.exit(BAD_CONFIGURATION)


def _value_problems(config: DictConfig, folder: Path) -> list[str]:
    """Return a line for every value that breaks a rule, or the first that can't be resolved."""
    hydra = HydraConfig.instance()
    before = hydra.cfg
    ours = copy.deepcopy(config)
    with open_dict(ours), read_write(ours.hydra):
        ours.hydra.runtime.output_dir = str(folder)
    try:
        hydra.set_config(ours)  # `${hydra:…}` reads it, as it will in the job
        plain = plain_task(ours)
    except OmegaConfBaseException as error:
        return [one_line(error)]
    finally:
        hydra.cfg = before
    return problems_of(plain)


def _note(folder: Path, is_sweep: bool) -> None:
    Present.folder, Present.is_sweep, Present.made = folder, is_sweep, missing_folders(folder)


def show(folder: Path) -> None:
    """Write `runs.csv` of what has ended, and print the table, the diagnostics and the pictures' paths."""
    from clbench.records import find_runs, write_sweep

    if find_runs(folder):
        write_sweep(folder)
        if not Present.reporter.present(folder):
            from clbench.report.command import present

            present(folder)
