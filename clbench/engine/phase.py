"""One phase of a chunk of lanes: fork its parents' states, train or consolidate, tell what each lane left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event

import torch

from clbench.engine.loop import train_stage
from clbench.engine.optimize import init_optimizer
from clbench.engine.outcome import Outcome, finite_points
from clbench.engine.plan import Phase
from clbench.engine.program import Program, Tree, initial_theta
from clbench.runs import Run
from clbench.streams.base import Stream


def run_phase(
    chunk: list[Phase],
    parents: list[Outcome | None],
    cancel: Event,
    cores: int,
    count: Callable[[float, str], None],
) -> list[Outcome]:
    """Run one phase of a chunk of lanes from their parents' states and return each lane's outcome.

    Args:
        chunk: the lanes.
        parents: what each lane starts from; None at the root.
        cancel: set to stop at the next evaluation point.
        cores: that no other chunk uses.
        count: told the share of the chunk's work that was done, and a word on it.
    """
    began = time.perf_counter()
    phase, lanes = chunk[0], len(chunk)
    # A product over a single lane takes another kernel than one over many: pad it with its own double.
    padded = list(range(lanes)) if lanes > 1 else [0, 0]
    runs = [chunk[lane].run for lane in padded]
    streams = [chunk[lane].stream for lane in padded]
    strategies = [chunk[lane].strategy for lane in padded]
    sources = [parents[lane] for lane in padded]
    tree = _fork(sources) if sources[0] is not None else _begin(runs, streams)
    step = sources[0].step if sources[0] is not None else 0
    passed = dict(sources[0].passed) if sources[0] is not None else {}
    if phase.kind == "train" and phase.stage and runs[0].optimizer.reset:
        init_optimizer(runs[0], streams[0], tree)
    program = Program(runs, streams, tree, phase.stage, step, strategies, cores, doubled=lanes == 1)
    if not program.state and program.strategy is not None:
        program.state = program.strategy.start(program)
    record = None
    if phase.kind == "train":
        tasks = program.chosen
        text = f"stage {phase.stage + 1} of {program.tasks}"
        record = train_stage(program, passed.get(tasks, 0), cancel, lambda share: count(share * lanes, text))
        passed[tasks] = passed.get(tasks, 0) + record.steps
    elif program.acts.consolidate is not None:
        program.state = program.acts.consolidate(program, program.state)
        program.store_state()
    seconds = (time.perf_counter() - began) / lanes
    splits = runs[0].evaluation.splits
    alive = [
        record is None or bool(finite_points(record, lane, streams[lane], splits).all())
        for lane in range(lanes)
    ]
    return [
        Outcome(tree, lane, record, program.step, passed, seconds, lanes, alive[lane])
        for lane in range(lanes)
    ]


def _begin(runs: list[Run], streams: list[Stream]) -> Tree:
    tree = {"theta": initial_theta(runs, streams).to(runs[0].device)}
    init_optimizer(runs[0], streams[0], tree)
    return tree


def _fork(sources: Sequence[Outcome | None]) -> Tree:
    keys = sources[0].tree
    return {key: torch.stack([source.tree[key][source.lane] for source in sources]) for key in keys}
