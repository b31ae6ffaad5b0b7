"""clbench: what a network forgets when it learns the next task, and which strategy keeps most of it.

    import clbench

    results = clbench.load("results/two_task_regression/2026-01-31_12-00-00")  # what a command has written
    results.runs, results.losses, results.training   # DataFrames; `results` alone is a table in a notebook
    results.compare("naive")                         # paired by seed, with intervals and p
    results.plot.loss("A")                           # a matplotlib figure; dir(results.plot) lists them all
    results.report()                                 # the path of report.html

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
    from clbench.config import Evaluation, Training
    from clbench.errors import ConfigurationError
    from clbench.runs import Run

__all__ = ["ConfigurationError", "Evaluation", "Results", "Run", "Training", "load", "run"]

_PLACES = {
    "ConfigurationError": "clbench.errors",
    "Evaluation": "clbench.config",
    "Results": "clbench.api.results",
    "Run": "clbench.runs",
    "Training": "clbench.config",
    "load": "clbench.api.results",
    "run": "clbench.api.runs",
}
_MODULES = ("importance", "models", "optimizers", "penalty", "strategies", "streams", "testing")


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
