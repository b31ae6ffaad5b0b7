"""clbench itself: `clbench.engine.train` on many runs at once, nothing kept between two requests."""

from __future__ import annotations

import time
from functools import lru_cache

from runs import runs_of
from worker import answer
from workloads import WORKLOADS

import clbench
from clbench.engine import RunResult, train
from clbench.execution import Execution
from clbench.strategies import Strategy
from clbench.streams import PermutedImages, SplitImages, StreamSource

FEW_SAMPLES = ("strategy.importance.samples=128",)
OPTIONS = {"ewc": FEW_SAMPLES, "mas": FEW_SAMPLES}
"""Where a default would make the end of a task, which is not timed, longer than what is timed."""


@lru_cache(maxsize=32)
def strategy_of(name: str) -> Strategy:
    """Return a strategy as `strategy=name` gives it on the command line."""
    return clbench.compose(f"strategy={name}", *OPTIONS.get(name, ()))[0].strategy


def stream_in(tasks: int | None, permuted: bool) -> StreamSource | None:
    """Return digits in so many tasks, permuted or split; None for the workload's own stream."""
    if permuted and tasks is not None:
        return PermutedImages(tasks=tasks)
    return None if tasks is None else SplitImages(tasks=tasks, scenario="task")


def measure(
    workload: str,
    kind: str,
    steps: int,
    lanes: int,
    points: int = 1,
    subset: int | None = 128,
    splits: tuple[str, ...] = ("test",),
    tasks: int | None = None,
    permuted: bool = False,
    hidden: int | None = None,
) -> dict[str, float]:
    """Return the seconds from given runs to all results in memory, and the samples that a run has seen.

    With `points=1` a run is evaluated on the whole test split before training and after every task.

    Args:
        workload, kind: names of workload and strategy.
        steps: gradient steps a task.
        lanes: runs, with as many seeds.
        points, subset, splits: of `Evaluation`.
        tasks, permuted: digits in so many tasks in place of the workload's stream, where that is of digits.
        hidden: units of both hidden layers in place of the workload's.
    """
    runs = runs_of(
        WORKLOADS[workload],
        lanes,
        steps,
        points,
        strategy=strategy_of(kind),
        subset=subset,
        splits=tuple(splits),
        hidden=None if hidden is None else (hidden, hidden),
        stream=stream_in(tasks, permuted) if workload == "digits" else None,
    )
    results: dict[int, RunResult] = {}
    began = time.perf_counter()
    train(runs, results.__setitem__, execution=Execution())
    seconds = time.perf_counter() - began
    if wrong := next((result for result in results.values() if result.status != "done"), None):
        raise RuntimeError(f"A run did not end well: {wrong.status}, {wrong.message}")
    return {"seconds": seconds, "samples": results[0].samples}


if __name__ == "__main__":
    answer(measure)
