"""One phase of a program: fork the states before it, train or consolidate, return what each lane leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event

import torch

from clbench.engine.lane import LaneRecord, LaneState, ReadyPhase, finite_points
from clbench.engine.loop import train_stage
from clbench.engine.optimize import init_optimizer
from clbench.engine.program import Program, initial_theta
from clbench.engine.state import StageState
from clbench.runs import Run
from clbench.streams.base import Stream


def run_phase(
    ready: Sequence[ReadyPhase], cores: int, cancel: Event, count: Callable[[float, str], None]
) -> list[tuple[LaneState, LaneRecord]]:
    """Run one phase of a program's lanes and return what each leaves.

    Args:
        ready: the lanes.
        cores: that no other program uses.
        cancel: set to stop at the next evaluation point.
        count: called with the share of the program's work that was done, and a word on it.
    """
    began = time.perf_counter()
    phase, lanes = ready[0].phase, len(ready)
    # A product over a single lane takes another kernel than one over many: pad it with its own double.
    padded = ready if lanes > 1 else [*ready, *ready]
    runs = [lane.phase.run for lane in padded]
    streams = [lane.phase.stream for lane in padded]
    before = [lane.state for lane in padded if lane.state is not None]
    state = _fork(before) if before else _begin(runs, streams)
    if phase.kind == "train" and phase.stage and runs[0].optimizer.reset:
        init_optimizer(runs[0], streams[0], state.tree)
    strategies = [lane.phase.strategy for lane in padded]
    program = Program(runs, streams, state.tree, phase.stage, state.step, strategies, cores, lanes == 1)
    if not program.state and program.strategy is not None:
        program.state = program.strategy.start(program)
    record = None
    if phase.kind == "train":
        tasks = program.chosen
        text = f"stage {phase.stage + 1} of {program.tasks}"
        passed = state.passed.get(tasks, 0)
        record = train_stage(program, passed, cancel, lambda share: count(share * lanes, text))
        state.step, state.passed[tasks] = program.step, passed + record.steps
    elif program.acts.consolidate is not None:
        program.state = program.acts.consolidate(program, program.state)
        program.store_state()
    seconds = (time.perf_counter() - began) / lanes
    left = []
    for lane, each in enumerate(ready):
        splits = runs[lane].evaluation.splits
        alive = record is None or bool(finite_points(record, lane, streams[lane], splits).all())
        kept = LaneRecord(each.phase, each.before, record, lane, seconds, lanes, alive)
        left.append((LaneState(state, lane), kept))
    return left


def _begin(runs: list[Run], streams: list[Stream]) -> StageState:
    tree = {"theta": initial_theta(runs, streams).to(runs[0].device)}
    init_optimizer(runs[0], streams[0], tree)
    return StageState(tree)


def _fork(before: Sequence[LaneState]) -> StageState:
    first = before[0].state
    tree = {key: torch.stack([each.state.tree[key][each.lane] for each in before]) for key in first.tree}
    return StageState(tree, first.step, dict(first.passed))
