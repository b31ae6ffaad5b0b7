"""A sweep as the command composes it, in the middle of somebody's program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, RunMode

from clbench.errors import ConfigurationError, raise_together
from clbench.launcher.apart import hydra_apart
from clbench.launcher.arguments import for_hydra
from clbench.launcher.explain import explain
from clbench.launcher.folders import typed
from clbench.launcher.grammar import parsed, quoted
from clbench.launcher.hydra_jobs import run_jobs
from clbench.launcher.jobs import Job, Train
from clbench.launcher.places import conf
from clbench.launcher.sweep import Sweep

MULTIRUN = "-m"

NOT_HERE = ("-", "hydra.sweep.dir=", "hydra.run.dir=", "hydra.mode=")
"""How words begin that only the command takes: flags, and what its arguments say in Python."""


def run_sweep(overrides: Sequence[str], folder: Path, train: Train) -> None:
    """Compose the jobs of `clbench -m` with some overrides, and have them trained.

    Args:
        overrides: as typed on the command line.
        folder: of the sweep.
        train: as `run_jobs` takes it; called once for each batch of jobs.

    Raises:
        ConfigurationError: names all problems of all jobs; nothing was trained.
    """
    raise_together(_problems(overrides))
    words = for_hydra([MULTIRUN, *overrides, _override("hydra.sweep.dir", str(folder))])
    words.remove(MULTIRUN)
    out = sys.stdout

    def train_aloud(jobs: Sequence[Job], begin: Callable[[], None] | None) -> Sequence[Any]:
        with redirect_stdout(out):
            return train(jobs, begin)

    with hydra_apart(), redirect_stdout(sys.stderr):  # where Hydra would log
        try:
            with initialize_config_dir(conf(), version_base="1.3", job_name="clbench"):
                _sweep(words, train_aloud)
        except Exception as error:
            lines = explain(error, [MULTIRUN, *overrides])
            if lines is None:
                raise
            raise ConfigurationError(*lines) from None


def _sweep(words: list[str], train: Train) -> None:
    loader = GlobalHydra.instance().config_loader()
    config = loader.load_configuration("config", words, RunMode.MULTIRUN)
    context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
    sweeper, name = config.hydra.sweeper, config.hydra.runtime.choices["hydra/sweeper"]
    if name != "study":
        raise ConfigurationError(
            f"A sweep in Python goes over lists, ranges and studies; got hydra/sweeper={name}. "
            "Use the command clbench -m for it."
        )

    def launch(jobs: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        return run_jobs(context, config, jobs, train, first)

    sweep = Sweep(loader, config, launch, sweeper.params or {}, sweeper.max_batch_size)
    sweep.run(typed(config.hydra.overrides.task))


def _problems(overrides: Sequence[str]) -> list[str]:
    """Return a line for every word of a command that has no meaning here."""
    return [
        "A sweep in Python takes overrides, and where its files go by folder=…; "
        f"got {word}. Leave it out: it is a sweep by itself."
        for word in overrides
        if word.startswith(NOT_HERE)
    ]


def _override(key: str, text: str) -> str:
    """Return an override that sets a key to a text, in quotes where it would be read as something else."""
    plain = parsed(f"{key}={text}")
    return f"{key}={text if plain is not None and plain.value() == text else quoted(text)}"
