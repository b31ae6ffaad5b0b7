"""The command `clbench` with a clock on its phases; the seconds go into the file named by CLBENCH_PHASES.

A phase's time is its own: what a phase calls that belongs to another counts there.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLOCKED = {
    "compose": (
        ("clbench.launcher.launch", "launch"),
        ("clbench.launcher.session", "build_runs"),
        ("clbench.launcher.hydra_jobs.direct", "ComposedJob.write"),
    ),
    "train": (("clbench.engine", "train"),),
    "record": (("clbench.records", "write_run"), ("clbench.records", "write_sweep")),
    "report": (("clbench.report.command", "present"),),
}


class Clock:
    """Seconds by phase; entering a phase stops the clock of the one around it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.inside: list[str] = []
        self.since = 0.0

    def switch(self, phase: str | None) -> None:
        """Enter a phase, or leave the current one where it is None."""
        now = time.perf_counter()
        if self.inside:
            self.seconds[self.inside[-1]] += now - self.since
        if phase is None:
            self.inside.pop()
        else:
            self.inside.append(phase)
        self.since = now

    def wrap(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted under the phase."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.switch(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch(None)

        return timed


def found_at(module: str, path: str) -> tuple[Any, str]:
    """Return what holds the function that a module has at a dotted path, and the function's name."""
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    return owner, name


def main() -> None:
    """Put clocks on, run the command line, write the seconds."""
    clock = Clock()
    for phase, places in CLOCKED.items():
        for module, path in places:
            owner, name = found_at(module, path)
            setattr(owner, name, clock.wrap(phase, getattr(owner, name)))
    from clbench.app import main as command

    try:
        command()
    finally:
        Path(os.environ["CLBENCH_PHASES"]).write_text(json.dumps(clock.seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
