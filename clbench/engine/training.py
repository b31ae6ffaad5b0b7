"""Train runs: plan their phases, run them as programs on all cores, and hand over each result."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from queue import SimpleQueue
from threading import Event

import torch

from clbench.engine.compose import compose_result
from clbench.engine.data import build_streams
from clbench.engine.lane import LaneRecord, ReadyPhase
from clbench.engine.memory import Budget, peak_memory
from clbench.engine.phase import run_phase
from clbench.engine.plan import Phase, plan_phases
from clbench.engine.progress import Attempt, EvaluationWatch, OnProgress, Progress
from clbench.engine.results import RunResult
from clbench.engine.schedule import Schedule
from clbench.engine.state import LaneState
from clbench.engine.store import StageStore
from clbench.errors import ConfigurationError
from clbench.execution import DEFAULT, Execution
from clbench.ingredients import Ingredients
from clbench.kernels.compiler import prepare
from clbench.runs import Run

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The user asked to stop; what was finished stays."""


Left = tuple[LaneState | None, LaneRecord]
"""What a phase left of a lane; no state where it failed."""

OnResult = Callable[[int, RunResult], None]


def train(
    runs: Sequence[Run],
    on_result: OnResult,
    on_progress: OnProgress | None = None,
    execution: Execution = DEFAULT,
    share: bool = True,
    store: StageStore | None = None,
) -> None:
    """Train runs together, each as a lane; every result has the same bits as if its run were alone.

    Args:
        runs: in any order, of any mixture of structures.
        on_result: called with a run's number and result as soon as it is finished.
        on_progress: called with the share of gradient steps done and a word on what is being trained.
        execution: how the machine is used; each run names its own device.
        share: False to train every stage of every run by itself (same bits, more time).
        store: where finished stages are looked up and kept, None for nowhere.

    Raises:
        ConfigurationError: a part turns out unusable while training (a penalty without gradient).
        KeyboardInterrupt: passed on after running programs have stopped; finished runs were handed over.
    """
    if not runs:
        return
    cores = execution.threads or len(os.sched_getaffinity(0))
    files = Ingredients()
    shaped_by = [files.of_run(run) for run in runs]  # as they are now, before anything is read
    phases = plan_phases(runs, build_streams(runs), share, files)
    device = torch.device(runs[0].device)
    budget = Budget(execution.memory_bytes, device, phases)
    training = _Training(phases, on_progress, cores, store if share else None, budget)

    def hand_over(number: int, last: LaneRecord) -> None:
        result = compose_result(runs[number], number, last)
        result.program.update(threads=cores, peak_bytes=peak_memory(device))
        used = replace(execution, device=runs[number].device, threads=cores)
        on_result(number, replace(result, files=shaped_by[number], execution=asdict(used)))

    prepare(lambda: training.progress.add(0.0, "compiling kernels (only the first time)"))
    training.run(len(runs), hand_over)


class _Training:
    """The workers that train phases, and what they have finished.

    A phase's state is held by the children that wait for it, its record by those that come after it; so both
    are gone when nobody needs them.
    """

    def __init__(
        self,
        phases: list[Phase],
        on_progress: OnProgress | None,
        cores: int,
        store: StageStore | None,
        budget: Budget,
    ) -> None:
        self.roots = [phase for phase in phases if phase.parent is None]
        self.workers, self.store = min(cores, len(phases)), store
        self.schedule = Schedule(cores, budget, self._look_up)
        self.ended: SimpleQueue[LaneRecord | BaseException] = SimpleQueue()
        self.cancel = Event()
        self.shown: set[str] = set()  # errors whose traceback was shown
        self.watch = EvaluationWatch()
        self.progress = Progress(sum(phase.kind == "train" for phase in phases), on_progress)

    def run(self, runs: int, hand_over: Callable[[int, LaneRecord], None]) -> None:
        """Train all phases; hand over the last record of each of that many runs as soon as it is there."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="lanes") as pool:
            try:
                self.schedule.add([ReadyPhase(root) for root in self.roots])
                for _ in range(self.workers):
                    pool.submit(self._work)
                while runs:
                    last = self.ended.get()
                    if isinstance(last, BaseException):
                        raise last
                    for number in last.phase.runs:
                        hand_over(number, last)
                    runs -= len(last.phase.runs)
            except BaseException:
                self.cancel.set()
                self.schedule.close()
                raise
        if self.store is not None:
            self.store.trim()

    def _work(self) -> None:
        """Run programs until nothing is left."""
        try:
            while self._run_next():
                pass
        except BaseException as error:
            self.ended.put(error)

    def _run_next(self) -> bool:
        taken = self.schedule.take()
        if taken is None:
            return False
        program, cores = taken
        left = self._run_program(program, cores)
        self.watch.look(left[0][1])
        lanes = zip(program, left, strict=True)
        following = [child for ready, lane in lanes for child in self._follow(ready, *lane)]
        # What nobody needs any more must be gone before others go on.
        del taken, program, left, lanes
        self.schedule.add(following)
        self.schedule.done()
        return True

    def _follow(self, ready: ReadyPhase, state: LaneState | None, record: LaneRecord) -> list[ReadyPhase]:
        """Return the phases that start from what a phase left; where there are none, its runs have ended."""
        phase = ready.phase
        if not (record.alive and phase.children):
            self.ended.put(record)
            return []
        if self.store is not None and phase.key in self.store.kept:
            weakref.finalize(state, self._let_go, phase).atexit = False
        return [ReadyPhase(child, state, record, ready.claim) for child in phase.children]

    def _let_go(self, phase: Phase) -> None:
        """Drop the stored state of a phase whose children have all ended."""
        if self.store is not None and not self.cancel.is_set():
            self.store.drop_state(phase)

    def _look_up(self, ready: ReadyPhase) -> list[ReadyPhase] | None:
        """Return what follows from a phase that the store has, or None where it is to be trained."""
        begins = ready.before is None or ready.before.stored
        found = self.store.load(ready) if self.store is not None and begins else None
        if found is None:
            return None
        self.progress.add(float(ready.phase.kind == "train"), "stored stages")
        return self._follow(ready, *found)

    def _run_program(self, program: Sequence[ReadyPhase], cores: int) -> Sequence[Left]:
        """Run a program; where it fails its halves, which have the same bits, down to the lanes that fail."""
        left = self._attempt(program, cores)
        if left is None:
            half = len(program) // 2
            return [*self._run_program(program[:half], cores), *self._run_program(program[half:], cores)]
        for state, record in left:
            if self.store is not None and state is not None and self.store.keeps(record):
                self.store.save(state, record)
        return left

    def _attempt(self, program: Sequence[ReadyPhase], cores: int) -> Sequence[Left] | None:
        """Return what the lanes of a program left, None where several lanes failed together."""
        # Cores are shared out by programs: two threads inside one product would round odd sizes otherwise.
        torch.set_num_threads(1)
        attempt = Attempt(self.progress)
        phase = program[0].phase
        text = f"stage {phase.stage + 1} of {len(phase.stream.tasks)}"

        def on_segment(share: float) -> None:
            attempt.add(share * len(program), text)
            if self.cancel.is_set():
                raise Cancelled

        try:
            with torch.no_grad():
                return run_phase(program, cores, on_segment)
        except (Cancelled, ConfigurationError):
            raise
        except Exception as error:  # a part of the user's may fail in any way, or the memory be too small
            message = f"{type(error).__name__}: {error}"
            if len(program) > 1:
                log.info("%d lanes failed together (%s): tried again in halves", len(program), message)
                attempt.take_back()
                return None
            if message not in self.shown:
                log.exception("A run failed")
            self.shown.add(message)
            (ready,) = program
            return [(None, LaneRecord(ready.phase, ready.before, None, alive=False, message=message))]
