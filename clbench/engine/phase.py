"""One phase of a program: fork the states before it, train or consolidate, return what each lane leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from clbench.engine.lane import LaneRecord, ReadyPhase, finite_points
from clbench.engine.program import Program
from clbench.engine.recorder import stage_record
from clbench.engine.stage import consolidate_stage, train_stage
from clbench.engine.state import LaneState, fork


def run_phase(
    ready: Sequence[ReadyPhase], cores: int, on_segment: Callable[[float], None]
) -> list[tuple[LaneState, LaneRecord]]:
    """Run one phase of a program's lanes and return what each leaves.

    Args:
        ready: the lanes.
        cores: that no other program uses.
        on_segment: called at every evaluation point with the share of the stage since the last one; what it
            raises ends the phase.
    """
    began = time.perf_counter()
    phase, lanes = ready[0].phase, len(ready)
    phases = [each.phase for each in ready]
    runs, streams = [each.run for each in phases], [each.stream for each in phases]
    strategies = [each.strategy for each in phases]
    program = Program(runs, streams, strategies, phase.stage, cores)
    before = [each.state for each in ready if each.state is not None]
    state = fork(before) if before else program.begin()
    record, evaluating = None, 0.0
    if phase.kind == "train":
        segments = []
        for segment in train_stage(program, state):
            segments.append(segment)
            on_segment(segment.share)
        record, evaluating = stage_record(segments), program.recorder.seconds
    else:
        consolidate_stage(program, state)
    seconds = time.perf_counter() - began
    left = []
    for lane, each in enumerate(ready):
        alive = record is None or bool(finite_points(record, lane, streams[lane], program.evaluation).all())
        kept = LaneRecord(
            each.phase, each.before, record, lane, lanes, seconds / lanes, evaluating / lanes, alive
        )
        left.append((LaneState(state, lane), kept))
    return left
