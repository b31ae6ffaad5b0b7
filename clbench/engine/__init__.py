"""The engine: runs as lanes of vectorised programs, with shared prefixes."""

from clbench.engine.check import find_problems
from clbench.engine.results import RunResult
from clbench.engine.training import train

__all__ = ["RunResult", "find_problems", "train"]
