"""clbench: what a network forgets when it learns the next task, and which strategy keeps most of it.

    import clbench

    results = clbench.sweep("experiments=two_task_regression", "seed=0,1")  # as `clbench -m` takes it
    results                                # in a notebook a table, with where the files lie
    results.runs, results.losses, results.training  # DataFrames
    results.compare("naive")               # paired by seed, with intervals and p
    results.plot.loss("A")                 # a matplotlib figure; dir(results.plot) lists them all
    results.report()                       # the path of report.html

    runs = clbench.compose("strategy=ewc", "strategy.lam=1,10")  # values of clbench.Run
    results = clbench.run(runs, folder="results/ewc")            # a second call trains nothing again
    results = clbench.load("results/ewc")                        # what a command has written, too

What runs are made of lies in `clbench.streams`, `clbench.models`, `clbench.strategies` (each with its formula
and its source) and `clbench.optimizers`; `clbench.testing.check_strategy` tries a strategy of your own. A
mistake in a configuration is a `clbench.ConfigurationError`, with a line for each problem, before anything
trains.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # names for type checkers and editors; libraries are loaded when a name is first used
    from clbench.api.results import Results, load
    from clbench.api.runs import run
    from clbench.api.sweeps import compose, sweep
    from clbench.config import Evaluation, Training
    from clbench.errors import ConfigurationError
    from clbench.runs import Run

_PLACES = {
    "ConfigurationError": "clbench.errors",
    "Evaluation": "clbench.config",
    "Results": "clbench.api.results",
    "Run": "clbench.runs",
    "Training": "clbench.config",
    "compose": "clbench.api.sweeps",
    "load": "clbench.api.results",
    "run": "clbench.api.runs",
    "sweep": "clbench.api.sweeps",
}
_MODULES = ("importance", "models", "optimizers", "penalty", "strategies", "streams", "testing")

__all__ = [
    "ConfigurationError",
    "Evaluation",
    "Results",
    "Run",
    "Training",
    "compose",
    "load",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """Return a name of `__all__`, a module of parts, or `__version__`, imported now."""
    if name == "__version__":
        return import_module("importlib.metadata").version("clbench")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if name in _MODULES:
        return import_module(f"clbench.{name}")
    raise AttributeError(f"module 'clbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__", "__doc__"])
