"""clbench itself: `clbench.engine.train` on many runs at once, nothing kept between two requests."""

from __future__ import annotations

import time

from runs import runs_of
from worker import answer
from workloads import WORKLOADS

from clbench.engine import train
from clbench.execution import Execution
from clbench.importance import Fisher, Ones, PathIntegral
from clbench.strategies import Naive, Regularized
from clbench.streams import PermutedImages

STRATEGIES = {
    "naive": Naive(),
    "l2": Regularized(lam=1.0, importance=Ones()),
    "ewc": Regularized(lam=1.0, anchor="each", importance=Fisher(label="empirical", samples=1024)),
    "si": Regularized(lam=1.0, half=False, importance=PathIntegral()),
}


def measure(
    workload: str,
    kind: str,
    steps: int,
    lanes: int,
    threads: int | None = None,
    points: int = 1,
    subset: int | None = 128,
    splits: tuple[str, ...] = ("test",),
    tasks: int | None = None,
    hidden: int | None = None,
) -> float:
    """Return the seconds from given runs to all results in memory: plan, streams, training, records.

    With `points=1` a run is evaluated on the whole test split before training and after every task.

    Args:
        workload, kind: names of workload and strategy.
        steps: gradient steps a task.
        lanes: runs, with as many seeds.
        threads: most cores.
        points, subset, splits: of `Evaluation`.
        tasks: in place of the workload's stream, permuted digits with so many tasks.
        hidden: units of both hidden layers in place of the workload's.
    """
    runs = runs_of(
        WORKLOADS[workload],
        lanes,
        steps,
        points,
        strategy=STRATEGIES[kind],
        subset=subset,
        splits=tuple(splits),
        hidden=None if hidden is None else (hidden, hidden),
        stream=None if tasks is None else PermutedImages(tasks=tasks),
    )
    began = time.perf_counter()
    results: dict[int, object] = {}
    train(runs, results.__setitem__, execution=Execution(threads=threads))
    seconds = time.perf_counter() - began
    if any(result.status != "done" for result in results.values()):
        raise RuntimeError("A run did not end well.")
    return seconds


if __name__ == "__main__":
    answer(measure)
