"""Who is measured on what, and for how long: one row here is one line of the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workloads import WORKLOADS

SIZES = (1, 8, 64, 256, 1024, 4096)
MOST_LANES = {"mnist": 64, "digits": 1024}
"""784-400-400 with its moments takes 7.6 MB a run: thousands don't fit a small machine at once."""

PASSES = {"regression": 8, "digits": 8, "mnist": 1, "linear": 2}
"""Steps of one pass; peers train whole passes."""

LENGTHS = {"regression": (40, 240), "digits": (40, 240), "mnist": (10, 110), "linear": (100, 1100)}
"""Steps a task of the two trainings whose difference is taken: some tenths of a second for a peer."""


@dataclass(frozen=True)
class Contender:
    """What is asked of a worker, with two lengths: their difference is the cost of training alone.

    Args:
        part: of the benchmark.
        workload, name: row of the table.
        worker: who is asked.
        request: beside `workload` and `steps`.
        short, long: steps a task.
        lanes: runs.
        tasks: tasks of a run.
        x: place on the horizontal axis of the part's plot.
        unit: a worker's seconds are of one step of one run already (limits); the lengths are then unused.
    """

    part: str
    workload: str
    name: str
    worker: str
    request: Mapping[str, object] = field(default_factory=dict)
    short: int = 0
    long: int = 0
    lanes: int = 1
    tasks: int = 1
    x: float = 0.0
    unit: bool = False


def step_contenders(workload: str, quick: bool) -> Iterator[Contender]:
    """Yield everybody's cost of a training step on one workload."""
    tasks, one_pass = WORKLOADS[workload].tasks, PASSES[workload]
    large = workload == "mnist"
    lengths = LENGTHS[workload]  # on 784-400-400 a pass over a part of the data
    if quick:
        lengths = (2, 4) if large else (one_pass, 3 * one_pass)
    for threads in (1, 2):
        for kind, name in (("plain", "plain loop"), ("bare", "bare loop, fused Adam")):
            request = {"kind": kind, "threads": threads}
            label = f"{name}, {_threads(threads)}"
            yield Contender("steps", workload, label, "loops", request, *lengths, tasks=tasks)
    for kind in ("naive", "ewc", "si"):
        # Measured beforehand: the second thread helps Avalanche on the large net alone.
        request = {"kind": kind, "threads": 2 if large else 1}
        name = f"Avalanche {kind}"
        yield Contender("steps", workload, name, "avalanche", request, *lengths, tasks=tasks)
    for lanes in SIZES:
        if lanes <= MOST_LANES.get(workload, SIZES[-1]) and not (quick and lanes > 64):
            yield _lanes("steps", workload, "naive", lanes, quick)
    for kind in ("l2", "ewc", "si"):
        yield _lanes("steps", workload, kind, 8 if large or quick else 256, quick)
    yield from limit_contenders("steps", workload)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _lanes(part: str, workload: str, kind: str, lanes: int, quick: bool) -> Contender:
    tasks, large = WORKLOADS[workload].tasks, workload == "mnist"
    seconds = 0.2 if quick else 1.0
    of_a_step = tasks * (3e-3 * lanes if large else 1e-4 + 1e-5 * lanes)
    long = max(int(seconds / of_a_step), 12 if large or quick else 96)  # setting thousands up takes longer
    long = min(long, 48 if large else 400)
    short = max(long // 8, 4)
    name = f"clbench {kind}, {lanes:,} run{'s' if lanes > 1 else ''}"
    request = {"kind": kind, "lanes": lanes}
    return Contender(part, workload, name, "lanes", request, short, long, lanes, tasks, x=lanes)


def limit_contenders(
    part: str, workload: str, hidden: int | None = None, x: float = 0.0
) -> Iterator[Contender]:
    """Yield the batched product of a step's shapes on one thread and on two, at several lanes a thread."""
    if workload == "linear":
        return
    for threads in (1, 2):
        for lanes in (1, 2, 4) if workload == "mnist" else (16, 64):
            request: dict[str, object] = {"kind": "products", "threads": threads, "lanes": lanes}
            if hidden is not None:
                request["hidden"] = hidden
            name = f"batched products, {_threads(threads)}, {lanes} lanes each"
            yield Contender(part, workload, name, "limits", request, x=x, unit=True)


def lane_contenders(quick: bool) -> Iterator[Contender]:
    """Yield whole sweeps over the number of runs."""
    steps = 16 if quick else 100
    for lanes in (64, 128) if quick else (64, 256, 1024, 4096):
        request = {"kind": "naive", "lanes": lanes}
        name = f"{lanes:,} runs"
        yield Contender("lanes", "regression", name, "lanes", request, 0, steps, lanes, 2, x=lanes)


def task_contenders(quick: bool) -> Iterator[Contender]:
    """Yield permuted digits over the number of tasks: naive, and EWC with an anchor for every past task."""
    for tasks in (2, 5) if quick else (2, 5, 10, 20, 50):
        for kind in ("naive", "ewc"):
            request = {"kind": kind, "lanes": 16, "tasks": tasks}
            name = f"{kind}, {tasks} tasks"
            yield Contender("tasks", "digits", name, "lanes", request, 8, 32, 16, tasks, x=tasks)


RECORDING = {
    "test split, 32 samples": {"subset": 32, "splits": ("test",)},
    "three splits, 32 samples": {"subset": 32, "splits": ("train", "val", "test")},
    "three splits, 128 samples (the default)": {"subset": 128, "splits": ("train", "val", "test")},
}


def point_contenders(quick: bool) -> Iterator[Contender]:
    """Yield the study's length over evaluation points a run, on subsets of three sizes."""
    steps, lanes = (40, 64) if quick else (400, 128)
    for name, options in RECORDING.items():
        for points in (1, 10) if quick else (1, 10, 50):
            request = {"kind": "naive", "lanes": lanes, "points": points, **options}
            row = f"{name}, {2 * points} points a run"
            yield Contender("points", "regression", row, "lanes", request, 0, steps, lanes, 2, x=2 * points)


def width_contenders(quick: bool) -> Iterator[Contender]:
    """Yield 1-w-w-1 over w, beside the batched products of the same shapes."""
    for width in (16, 64) if quick else (16, 32, 64, 128, 256, 512):
        request = {"kind": "naive", "lanes": 64, "hidden": width}
        long = 24 if width > 128 or quick else 80
        name = f"width {width}"
        yield Contender("width", "regression", name, "lanes", request, 8, long, 64, 2, x=width)
        for limit in limit_contenders("width", "regression", width, x=width):
            if limit.request["threads"] == 2:
                yield limit


def bandwidth_contender() -> Contender:
    """Return the seconds of a byte."""
    return Contender("steps", "-", "memory", "limits", {"kind": "bandwidth", "threads": 2}, unit=True)
