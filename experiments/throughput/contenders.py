"""Who is measured on what: one row here is one line of the tables. Peers are in `peers.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from workloads import WORKLOADS, step_multiply_adds

SIZES = (1, 8, 64, 256, 1024)
MOST_LANES = {"mnist": 64}
"""784-400-400 with its moments takes 7.6 MB a run: hundreds don't fit a small machine at once."""

PASSES = {"regression": 8, "digits": 8, "mnist": 10, "linear": 2}
"""Steps of one pass (of a part of the data on 784-400-400); peers train whole passes."""

STRATEGIES = (
    *("naive", "joint", "cumulative", "l2", "ewc", "mas", "si", "rwalk", "shrink_perturb"),
    *("er", "naive_rehearsal", "gdumb", "lwf", "der", "gem", "agem"),
)

LEFT, RIGHT = 0, 1
SHAPES = (
    *((64, 32, 64, LEFT), (64, 32, 64, RIGHT), (64, 64, 32, LEFT), (100, 128, 100, LEFT)),
    *((400, 128, 784, LEFT), (400, 128, 400, RIGHT), (400, 784, 128, LEFT), (1000, 128, 1024, LEFT)),
)
"""Rows, columns and inner dimension of products, and whether the left factor is stored transposed."""


@dataclass(frozen=True)
class Contender:
    """What is asked of a worker, with two lengths: their difference is the cost of training alone.

    Args:
        part: of the benchmark.
        workload, name: row of the table.
        worker: who is asked.
        request: beside `workload` and `steps`.
        short: steps a task of the shorter training; the longer one has a multiple, by the time it takes.
        most: steps a task of the longer training at most.
        fixed: steps a task of a single training, timed as a whole with its setup and evaluation.
        lanes: runs.
        tasks: tasks of a run.
        x: place on the horizontal axis of the part's plot.
        multiply_adds: of a run's step.
        unit: a worker's seconds are of one multiply-add, or byte; there are no lengths.
    """

    part: str
    workload: str
    name: str
    worker: str
    request: Mapping[str, object] = field(default_factory=dict)
    short: int = 8
    most: int = 20_000
    fixed: int = 0
    lanes: int = 1
    tasks: int = 1
    x: float = 0.0
    multiply_adds: int = 0
    unit: bool = False


def runs_word(count: int) -> str:
    """Return `1 run`, `1,024 runs`."""
    return "1 run" if count == 1 else f"{count:,} runs"


def lanes_of(part: str, workload: str, kind: str, lanes: int, name: str = "", **options: object) -> Contender:
    """Return clbench's cost of a step with a strategy on so many runs of a workload."""
    chosen = WORKLOADS[workload]
    return Contender(
        part,
        workload,
        name or f"clbench {kind}, {runs_word(lanes)}",
        "lanes",
        {"kind": kind, "lanes": lanes, **options},
        most=230 if workload == "mnist" else 20_000,
        lanes=lanes,
        tasks=chosen.tasks,
        x=lanes,
        multiply_adds=chosen.multiply_adds,
    )


def step_contenders(workload: str, quick: bool) -> Iterator[Contender]:
    """Yield clbench's cost of a training step on one workload, alone and in company."""
    sizes = [size for size in SIZES if size <= MOST_LANES.get(workload, SIZES[-1])]
    for lanes in sizes:
        if not quick or lanes in (1, 8 if workload == "mnist" else 256):
            yield lanes_of("steps", workload, "naive", lanes)
    for kind in ("ewc", "si"):
        if not quick:
            yield lanes_of("steps", workload, kind, 8 if workload == "mnist" else 256)


def strategy_contenders(quick: bool) -> Iterator[Contender]:
    """Yield every strategy on the two tasks of the regression and on digits split in two."""
    lanes = 16 if quick else 64
    for workload in ("digits",) if quick else ("regression", "digits"):
        for kind in STRATEGIES:
            yield replace(lanes_of("strategies", workload, kind, lanes, kind, tasks=2), tasks=2)


def lane_contenders(quick: bool) -> Iterator[Contender]:
    """Yield whole sweeps over the number of runs."""
    chosen = WORKLOADS["regression"]
    for lanes in (64, 256) if quick else (1, 8, 64, 256, 1024, 4096):
        request = {"kind": "naive", "lanes": lanes}
        many = {"lanes": lanes, "tasks": 2, "x": lanes, "multiply_adds": chosen.multiply_adds}
        yield Contender("lanes", "regression", runs_word(lanes), "lanes", request, fixed=100, **many)


def task_contenders(quick: bool) -> Iterator[Contender]:
    """Yield permuted digits over the number of tasks: naive, and EWC with an anchor for every past task."""
    chosen = WORKLOADS["digits"]
    for tasks in (2, 5) if quick else (2, 5, 10, 20, 50):
        for kind in ("naive", "ewc"):
            request = {"kind": kind, "lanes": 16, "tasks": tasks, "permuted": True}
            name = f"{kind}, {tasks} tasks"
            many = {"lanes": 16, "tasks": tasks, "x": tasks, "multiply_adds": chosen.multiply_adds}
            yield Contender("tasks", "digits", name, "lanes", request, **many)


RECORDING = {
    "test split, 32 samples": {"subset": 32, "splits": ("test",)},
    "three splits, 32 samples": {"subset": 32, "splits": ("train", "val", "test")},
    "three splits, 128 samples (the default)": {"subset": 128, "splits": ("train", "val", "test")},
}
DEFAULT_POINTS = 20
"""Evaluation points a task where nothing else is said."""


def point_contenders(quick: bool) -> Iterator[Contender]:
    """Yield the study's length over evaluation points a task, on subsets of three sizes."""
    steps, lanes = (100, 64) if quick else (400, 128)
    for name, options in RECORDING.items():
        for points in (1, DEFAULT_POINTS) if quick else (1, DEFAULT_POINTS, 50):
            request = {"kind": "naive", "lanes": lanes, "points": points, **options}
            row = f"{name}, {points} points a task"
            many = {"lanes": lanes, "tasks": 2, "x": points}
            yield Contender("points", "regression", row, "lanes", request, fixed=steps, **many)


def width_contenders(quick: bool) -> Iterator[Contender]:
    """Yield 1-w-w-1 over w."""
    batch = WORKLOADS["regression"].batch
    for width in (16, 64) if quick else (16, 64, 256, 400, 1000):
        lanes = 64 if width < 256 else 8
        request = {"kind": "naive", "lanes": lanes, "hidden": width}
        work = step_multiply_adds((1, width, width, 1), batch)
        many = {"lanes": lanes, "tasks": 2, "x": width, "multiply_adds": work}
        yield Contender("width", "regression", f"width {width}", "lanes", request, **many)


def product_contenders(quick: bool) -> Iterator[Contender]:
    """Yield clbench's product by its shape, on one core."""
    for rows, columns, inner, transposed in SHAPES[:2] if quick else SHAPES:
        request = {"rows": rows, "columns": columns, "inner": inner, "transposed": transposed}
        name = f"{rows}×{inner} · {inner}×{columns}{', left transposed' if transposed else ''}"
        asked = {"kind": "product", "threads": 1, **request}
        yield Contender("products", "-", name, "limits", asked, unit=True)


def limit_contenders(cores: int) -> Iterator[Contender]:
    """Yield the seconds of a multiply-add on one core and on all, and of a byte copied by all."""
    for threads in dict.fromkeys((1, cores)):
        request = {"kind": "multiply_add", "threads": threads}
        yield Contender("limits", "-", "multiply_add", "limits", request, x=threads, unit=True)
    yield Contender("limits", "-", "copy", "limits", {"kind": "copy", "threads": cores}, x=cores, unit=True)
