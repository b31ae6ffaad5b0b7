"""How far training is, for a person who waits: on standard error, and gone when all is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Report = Callable[[float, str], None]
"""What is called with the share done and a word on what is being trained."""

Progress = Callable[[int], AbstractContextManager[Report | None]]
"""What shows the progress of a number of runs."""


@contextmanager
def bar(runs: int) -> Iterator[Report | None]:
    """Show a bar with the time left on a terminal, a line in a notebook, and nothing elsewhere."""
    if "ipykernel" in sys.modules:
        with line(runs) as report:
            yield report
        return
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(_count(runs), total=1.0)
        yield lambda share, text: shown.update(task, completed=share, description=f"{_count(runs)}, {text}")


@contextmanager
def line(runs: int) -> Iterator[Report]:
    """Show a line that is written over at every whole percent."""
    shown = -1

    def report(share: float, text: str) -> None:
        nonlocal shown
        if (percent := int(100 * share)) != shown:
            shown = percent
            _write(f"{_count(runs)}, {text}: {percent} %")

    try:
        yield report
    finally:
        _write("")


@contextmanager
def silent(runs: int) -> Iterator[None]:
    """Show nothing."""
    yield None


def _write(text: str) -> None:
    sys.stderr.write(f"\r{text:<79}\r{text}")
    sys.stderr.flush()


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"
