"""Work on all cores by copies of this process, where it can be copied; else one after the other."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_WORK: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {}
"""What copies are made to do: they have it because they are copies, so it need not be picklable."""


def on_all_cores(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """Return a function's values of some items, in their order; what it returns must be picklable.

    Raises:
        Exception: the function's first.
    """
    workers = min(_cores(), len(items))
    if workers < 2 or not _can_be_copied():
        return [function(item) for item in items]
    _WORK["now"] = function, items
    try:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, mp_context=fork) as pool:
            return list(pool.map(_at, range(len(items))))
    finally:
        _WORK.clear()


def _at(place: int) -> Any:
    function, items = _WORK["now"]
    return function(items[place])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _can_be_copied() -> bool:
    """Return whether a copy of this process lacks nothing: no other thread, no torch, which has its own."""
    return threading.active_count() == 1 and "torch" not in sys.modules
