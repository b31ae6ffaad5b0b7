"""The peers and what is asked of them: one run at a time, as their users do; JAX many by `vmap`, too."""

from __future__ import annotations

from collections.abc import Iterator

from contenders import PASSES, Contender, runs_word
from workloads import WORKLOADS


def peer_contenders(workload: str, cores: int, quick: bool) -> Iterator[Contender]:
    """Yield every peer's cost of a training step on one workload."""
    yield from _loops(workload, quick)
    yield from _avalanche(workload, quick)
    yield from _jax(workload, cores, quick)


def _one(workload: str, name: str, worker: str, request: dict[str, object], **more: int) -> Contender:
    chosen = WORKLOADS[workload]
    few = {"short": PASSES[workload], "most": 230 if workload == "mnist" else 20_000, "tasks": chosen.tasks}
    work = chosen.multiply_adds
    return Contender("steps", workload, name, worker, request, multiply_adds=work, **{**few, **more})


def _loops(workload: str, quick: bool) -> Iterator[Contender]:
    for threads in (1, 2):
        for kind, name in (("plain", "plain loop"), ("bare", "bare loop, fused Adam")):
            label = f"{name}, {'1 thread' if threads == 1 else f'{threads} threads'}"
            if not quick or threads == (2 if workload == "mnist" else 1):
                yield _one(workload, label, "loops", {"kind": kind, "threads": threads})


def _avalanche(workload: str, quick: bool) -> Iterator[Contender]:
    for kind in ("naive",) if quick else ("naive", "ewc", "si"):
        # Measured beforehand: the second thread helps Avalanche on the large net alone.
        request = {"kind": kind, "threads": 2 if workload == "mnist" else 1}
        yield _one(workload, f"Avalanche {kind}", "avalanche", request)


def _jax(workload: str, cores: int, quick: bool) -> Iterator[Contender]:
    short = 10 if workload == "mnist" else 200
    yield _one(workload, "JAX jit(scan), 1 run", "jax", {"kind": "runs"}, short=short)
    for lanes in (8,) if workload == "mnist" else (256,) if quick else (64, 256):
        name = f"JAX jit(vmap(scan)), {runs_word(lanes)}"
        yield _one(workload, name, "jax", {"kind": "runs", "lanes": lanes}, lanes=lanes)
    if cores > 1:
        name = f"JAX jit(scan), {cores} processes of 1 run"
        request = {"kind": "processes", "lanes": cores}
        yield _one(workload, name, "jax", request, short=short, lanes=cores)
