"""Train runs: plan their phases, fork states, run chunks on all cores, and hand over each result."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import groupby
from threading import Event, Lock

import torch

from clbench.config import Run, fingerprint
from clbench.engine.loop import Cancelled, train_stage
from clbench.engine.optimize import init_optimizer
from clbench.engine.outcome import Outcome, compose_result, finite_points
from clbench.engine.plan import Phase, chunk_lanes, lane_bytes, plan_phases, program_structure
from clbench.engine.program import Program, Tree, initial_theta
from clbench.engine.results import RunResult
from clbench.engine.store import StageStore
from clbench.errors import ConfigurationError
from clbench.streams.base import Stream

log = logging.getLogger(__name__)

OnResult = Callable[[int, RunResult], None]
OnProgress = Callable[[float, str], None]


@dataclass
class _Progress:
    total: int
    report: OnProgress | None
    done: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def add(self, share: float, text: str) -> None:
        with self.lock:
            self.done += share
            if self.report is not None:
                self.report(min(self.done / max(self.total, 1), 1.0), text)


def train(
    runs: Sequence[Run],
    on_result: OnResult,
    on_progress: OnProgress | None = None,
    threads: int | None = None,
    share: bool = True,
    store: StageStore | None = None,
) -> None:
    """Train runs together, each as a lane; every result has the same bits as if its run were alone.

    Args:
        runs: in any order, of any mixture of structures.
        on_result: called with a run's number and result as soon as it is finished.
        on_progress: called with the share of gradient steps done and a word on what is being trained.
        threads: cores to use, None for all that this process may use.
        share: False to train every stage of every run by itself (same bits, more time).
        store: where finished first stages are looked up and kept, None for nowhere.

    Raises:
        ConfigurationError: a part turns out unusable while training (a penalty without gradient).
        KeyboardInterrupt: passed on after running chunks have stopped; finished runs were handed over.
    """
    if not runs:
        return
    cores = threads or len(os.sched_getaffinity(0))
    streams = build_streams(runs)
    phases, leaves = plan_phases(runs, streams, share)
    _Training(runs, phases, leaves, on_result, on_progress, cores, store if share else None).run()


def build_streams(runs: Sequence[Run]) -> list[Stream]:
    """Return the stream of every run; runs of one source and seed get the same object.

    They are built by one thread: some functions share out even a few hundred numbers among all threads, which
    takes longer, much longer on a busy machine, and may round the numbers at the seams in another way.
    """
    built: dict[str, Stream] = {}
    found = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for run in runs:
            key = fingerprint(run.stream, run.seed)
            if key not in built:
                built[key] = run.stream.build(run.seed)
            found.append(built[key])
    finally:
        torch.set_num_threads(threads)
    return found


class _Training:
    def __init__(
        self,
        runs: Sequence[Run],
        phases: list[Phase],
        leaves: list[Phase],
        on_result: OnResult,
        on_progress: OnProgress | None,
        cores: int,
        store: StageStore | None,
    ) -> None:
        self.runs, self.phases, self.leaves = runs, phases, leaves
        self.on_result, self.cores, self.store = on_result, cores, store
        self.outcomes: dict[str, Outcome] = {}
        self.waiting = {phase.key: len(phase.children) for phase in phases}
        self.cancel = Event()
        self.progress = _Progress(sum(phase.kind == "train" for phase in phases), on_progress)

    def run(self) -> None:
        with ThreadPoolExecutor(self.cores, thread_name_prefix="lanes") as pool:
            for _, level in groupby(self.phases, key=lambda phase: phase.level):
                self._run_level(pool, list(level))
        if self.store is not None:
            self.store.trim()

    def _run_level(self, pool: ThreadPoolExecutor, level: list[Phase]) -> None:
        chunks = self._chunks(level)
        futures: dict[Future[list[Outcome]], list[Phase]] = {
            pool.submit(self._run_chunk, chunk): chunk for chunk in chunks
        }
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    self._finish(futures[future], future.result())
        except BaseException:
            self.cancel.set()
            for future in pending:
                future.cancel()
            raise

    def _chunks(self, level: list[Phase]) -> list[list[Phase]]:
        """Return the level's phases that start from a living state, as chunks of equal structure."""
        cohorts: dict[object, list[Phase]] = {}
        for phase in level:
            parent = self.outcomes[phase.parent.key] if phase.parent else None
            if parent is not None and not parent.alive:
                self._finish([phase], [replace(parent, record=None, seconds=0.0)])
                continue
            if self._is_stored(phase):
                continue
            carried: tuple[object, ...] = ()
            if parent is not None:
                shapes = tuple((key, value.shape[1:]) for key, value in parent.tree.items())
                carried = (shapes, parent.step, tuple(parent.passed.items()))
            cohorts.setdefault((program_structure(phase), carried), []).append(phase)
        chunks = []
        for cohort in cohorts.values():
            # Lanes with equal optimisers lie side by side, so that they share its fused kernel.
            cohort.sort(key=lambda phase: fingerprint(phase.run.optimizer))
            run, stream = cohort[0].run, cohort[0].stream
            sizes = chunk_lanes(len(cohort), lane_bytes(run, stream), self.cores, torch.device(run.device))
            start = 0
            for size in sizes:
                chunks.append(cohort[start : start + size])
                start += size
        return sorted(chunks, key=len, reverse=True)

    def _is_stored(self, phase: Phase) -> bool:
        """Take a phase's outcome from the store where it has one, and tell so."""
        found = self.store.load(phase) if self.store is not None and self.store.keeps(phase) else None
        if found is not None:
            self.progress.add(float(phase.kind == "train"), "stored stages")
            self._finish([phase], [found])
        return found is not None

    def _run_chunk(self, chunk: list[Phase]) -> list[Outcome]:
        # Cores are shared out by chunks: two threads inside one product would round odd sizes otherwise.
        torch.set_num_threads(1)
        parents = [self.outcomes[phase.parent.key] if phase.parent else None for phase in chunk]
        try:
            with torch.no_grad():
                outcomes = run_phase(chunk, parents, self.cancel, self.progress.add)
        except (Cancelled, ConfigurationError):
            raise
        except Exception as error:  # a part of the user's may fail in any way; the other chunks go on
            log.exception("A program of %d lanes failed", len(chunk))
            message = f"{type(error).__name__}: {error}"
            return [
                Outcome({}, 0, None, parent.step if parent else 0, {}, 0.0, len(chunk), False, message)
                for parent in parents
            ]
        if self.store is not None:
            for phase, outcome in zip(chunk, outcomes, strict=True):
                if self.store.keeps(phase) and outcome.alive:
                    self.store.save(phase, outcome)
        return outcomes

    def _finish(self, chunk: list[Phase], outcomes: list[Outcome]) -> None:
        for phase, outcome in zip(chunk, outcomes, strict=True):
            self.outcomes[phase.key] = outcome
            for number in phase.heirs:
                if self.leaves[number] is phase:
                    self.on_result(number, compose_result(self.runs[number], number, phase, self.outcomes))
            if not phase.children:
                outcome.tree = {}
            if phase.parent is not None:
                self.waiting[phase.parent.key] -= 1
                if not self.waiting[phase.parent.key]:
                    self.outcomes[phase.parent.key].tree = {}


def run_phase(
    chunk: list[Phase],
    parents: list[Outcome | None],
    cancel: Event,
    count: Callable[[float, str], None],
) -> list[Outcome]:
    """Run one phase of a chunk of lanes from their parents' states and return each lane's outcome."""
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
    program = Program(runs, streams, tree, phase.stage, step, strategies)
    if not program.state:
        program.state = program.strategy.start(program)
    record = None
    if phase.kind == "train":
        tasks = program.strategy.stage_tasks(phase.stage, program.tasks)
        text = f"stage {phase.stage + 1} of {program.tasks}"
        record = train_stage(program, passed.get(tasks, 0), cancel, lambda share: count(share * lanes, text))
        passed[tasks] = passed.get(tasks, 0) + record.steps
    else:
        program.state = program.strategy.consolidate(program, program.state)
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
