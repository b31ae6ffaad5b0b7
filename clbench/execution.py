"""What the machine does, apart from what shapes a result: one group of settings, each with its bounds.

A field that is added here and in `conf/execution/default.yaml` is a key of the command line with a type, is
checked, reaches the engine and is recorded with every run.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from clbench.errors import known, shown
from clbench.fields import Declaration, Part, count, declared

UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size_in_bytes(text: int | str) -> int:
    """Return the bytes of a size such as `8GB`, `500 MiB` or 8000000000; 0 for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(text).strip().lower())
    return int(float(found[1]) * UNITS.get(found[2], 0)) if found else 0


@dataclass(frozen=True, kw_only=True)
class Size(Declaration):
    """A size in bytes, as a number or with a unit."""

    def accepts(self, value: object) -> bool:
        """Return whether it is a size above 0."""
        return isinstance(value, (int, float, str)) and size_in_bytes(str(value)) > 0

    def rule(self) -> str:
        """Return the bound."""
        return "a size above 0"

    def advice(self, default: object) -> str:
        """Return examples."""
        return "Write it like memory=8GB or memory=500MiB."


@dataclass(frozen=True)
class Execution(Part):
    """How the machine is used; on the command line these are top-level keys, as in `threads=1`.

    Args:
        device: a torch device. Each run has its own, since the last bits of a result depend on it.
        threads: most cores to use, None for all.
        memory: most memory of the process, None for half of the machine's. Where the states of all lanes
            would take more, some runs are trained to their end before others begin.
        cache: keep finished stages (the first, and those that took long), and use those kept before.
    """

    KEY: ClassVar[str] = ""

    device: str = "cpu"
    threads: int | None = count(None, none="all")
    memory: str | int | None = declared(None, Size(none="half of the machine's"))
    cache: bool = True

    @property
    def memory_bytes(self) -> int | None:
        """Return the memory in bytes."""
        return None if self.memory is None else size_in_bytes(self.memory)


FIELDS = tuple(item.name for item in dataclasses.fields(Execution))

DEFAULT = Execution()

OF_RUN = ("device",)
"""What belongs to each run, since bits may depend on it."""


SHARED = tuple(name for name in FIELDS if name not in OF_RUN)
"""What the runs of a sweep share; it never changes a result."""


def shared_problems(given: Mapping[str, Any]) -> list[str]:
    """Return a line for every setting of a sweep that is unknown or out of bounds."""
    unknown = [
        f"A setting of the machine must be a known one; got {name}={shown(value)}. {known(SHARED)}"
        for name, value in given.items()
        if name not in SHARED
    ]
    return unknown or Execution(**given).problems()


def execution_of(config: Mapping[str, Any]) -> Execution:
    """Return what a configuration says, the defaults where it says nothing."""
    return Execution(**{name: config[name] for name in FIELDS if name in config})
