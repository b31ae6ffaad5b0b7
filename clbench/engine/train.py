"""Train runs: plan their phases, fork states, run chunks on all cores, and hand over each result."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event

import torch

from clbench.config import fingerprint
from clbench.engine.data import build_streams
from clbench.engine.loop import Cancelled
from clbench.engine.memory import Budget, peak_memory
from clbench.engine.outcome import Outcome, compose_result, failed_outcome
from clbench.engine.phase import run_phase
from clbench.engine.plan import Phase, chunk_lanes, lane_bytes, plan_phases, program_structure
from clbench.engine.progress import Attempt, EvaluationWatch, OnProgress, Progress
from clbench.engine.results import RunResult
from clbench.engine.store import StageStore
from clbench.errors import ConfigurationError
from clbench.ingredients import Ingredients
from clbench.runs import Run

log = logging.getLogger(__name__)

OnResult = Callable[[int, RunResult], None]


def train(
    runs: Sequence[Run],
    on_result: OnResult,
    on_progress: OnProgress | None = None,
    threads: int | None = None,
    share: bool = True,
    store: StageStore | None = None,
    memory: int | None = None,
) -> None:
    """Train runs together, each as a lane; every result has the same bits as if its run were alone.

    Args:
        runs: in any order, of any mixture of structures.
        on_result: called with a run's number and result as soon as it is finished.
        on_progress: called with the share of gradient steps done and a word on what is being trained.
        threads: cores to use, None for all that this process may use.
        share: False to train every stage of every run by itself (same bits, more time), with its own strategy
            even where that says it does not act.
        store: where finished stages are looked up and kept, None for nowhere.
        memory: bytes that the process may take, None for half of the machine's. Where the states of all
            lanes would take more, some runs are trained to their end before others begin.

    Raises:
        ConfigurationError: a part turns out unusable while training (a penalty without gradient).
        KeyboardInterrupt: passed on after running chunks have stopped; finished runs were handed over.
    """
    if not runs:
        return
    cores = threads or len(os.sched_getaffinity(0))
    share = share and (len(runs) > 1 or store is not None)  # a run that shares nothing acts itself
    files = Ingredients()
    shaped_by = [files.of_run(run) for run in runs]  # as they are now, before anything is read
    phases, leaves = plan_phases(runs, build_streams(runs), share, files)
    budget = Budget(memory, torch.device(runs[0].device))

    def hand_over(number: int, result: RunResult) -> None:
        on_result(number, replace(result, files=shaped_by[number]))

    _Training(runs, phases, leaves, hand_over, on_progress, cores, store if share else None, budget).run()


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
        budget: Budget,
    ) -> None:
        self.runs, self.phases, self.leaves = runs, phases, leaves
        self.on_result, self.cores, self.store, self.budget = on_result, cores, store, budget
        self.outcomes: dict[str, Outcome] = {}
        self.waiting = {phase.key: len(phase.children) for phase in phases}
        self.owed = {phase.key: len(phase.heirs) for phase in phases}
        self.cancel = Event()
        self.shown: set[str] = set()  # errors whose traceback was shown
        self.watch = EvaluationWatch()
        self.progress = Progress(sum(phase.kind == "train" for phase in phases), on_progress)

    def run(self) -> None:
        with ThreadPoolExecutor(self.cores, thread_name_prefix="lanes") as pool:
            self._run_from(pool, [phase for phase in self.phases if phase.parent is None])
        if self.store is not None:
            self.store.trim()

    def _run_from(self, pool: ThreadPoolExecutor, ready: list[Phase]) -> None:
        """Run phases and all that follows from them, as many at once as the memory holds."""
        while ready:
            count = self.budget.fitting(ready)
            if count:
                self._run_levels(pool, ready[:count])
            else:  # what follows from this one alone is too much: part by part, while its own state stays
                count = 1
                self._run_level(pool, ready[:1])
                self._run_from(pool, ready[0].children)
            ready = ready[count:]

    def _run_levels(self, pool: ThreadPoolExecutor, ready: list[Phase]) -> None:
        while ready:
            level = min(phase.level for phase in ready)
            now = [phase for phase in ready if phase.level == level]
            ready = [phase for phase in ready if phase.level != level]
            self._run_level(pool, now)
            ready += [child for phase in now for child in phase.children]

    def _run_level(self, pool: ThreadPoolExecutor, level: list[Phase]) -> None:
        chunks = self._chunks(level)
        # Setting the threads of one product may set those of others: only a chunk by itself gets more cores.
        cores = self.cores if len(chunks) == 1 else 1
        futures: dict[Future[list[Outcome]], list[Phase]] = {
            pool.submit(self._run_chunk, chunk, cores): chunk for chunk in chunks
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
        begins = phase.parent is None or self.outcomes[phase.parent.key].stored
        found = self.store.load(phase) if self.store is not None and begins else None
        if found is not None:
            self.progress.add(float(phase.kind == "train"), "stored stages")
            self._finish([phase], [found])
        return found is not None

    def _run_chunk(self, chunk: list[Phase], cores: int) -> list[Outcome]:
        """Run a chunk; where it fails its halves, which have the same bits, down to the lanes that fail."""
        parents = [self.outcomes[phase.parent.key] if phase.parent else None for phase in chunk]
        outcomes = self._attempt(chunk, parents, cores)
        if outcomes is None:
            half = len(chunk) // 2
            return [*self._run_chunk(chunk[:half], cores), *self._run_chunk(chunk[half:], cores)]
        if self.store is not None:
            for phase, outcome, parent in zip(chunk, outcomes, parents, strict=True):
                if self.store.keeps(phase, outcome, parent):
                    outcome.kept = self.store.save(phase, outcome)
        return outcomes

    def _attempt(self, chunk: list[Phase], parents: list[Outcome | None], cores: int) -> list[Outcome] | None:
        """Return what the lanes of a chunk left, None where several lanes failed together."""
        # Cores are shared out by chunks: two threads inside one product would round odd sizes otherwise.
        torch.set_num_threads(1)
        attempt = Attempt(self.progress)
        try:
            with torch.no_grad():
                return run_phase(chunk, parents, self.cancel, cores, attempt.add)
        except (Cancelled, ConfigurationError):
            raise
        except Exception as error:  # a part of the user's may fail in any way, or the memory be too small
            message = f"{type(error).__name__}: {error}"
            if len(chunk) > 1:
                log.info("%d lanes failed together (%s): tried again in halves", len(chunk), message)
                attempt.take_back()
                return None
            if message not in self.shown:
                log.exception("A run failed")
            self.shown.add(message)
            return [failed_outcome(parents[0], message)]

    def _finish(self, chunk: list[Phase], outcomes: list[Outcome]) -> None:
        if outcomes[0].record is not None:
            self.watch.look(chunk[0], outcomes[0].record)
        for phase, outcome in zip(chunk, outcomes, strict=True):
            self.outcomes[phase.key] = outcome
            self.budget.hold(outcome.tree)
            for number in phase.heirs:
                if self.leaves[number] is phase:
                    self._hand_over(number, phase)
            if not phase.children:
                self._let_go(phase)
            if phase.parent is not None:
                self.waiting[phase.parent.key] -= 1
                if not self.waiting[phase.parent.key]:
                    self._let_go(phase.parent)

    def _hand_over(self, number: int, leaf: Phase) -> None:
        """Hand over a run's result, and forget the records that no other run needs."""
        result = compose_result(self.runs[number], number, leaf, self.outcomes)
        peak = peak_memory(torch.device(leaf.run.device))
        result.program.update(threads=self.cores, peak_bytes=peak)
        self.on_result(number, result)
        phase: Phase | None = leaf
        while phase is not None:
            self.owed[phase.key] -= 1
            if not self.owed[phase.key]:
                self.outcomes[phase.key].record = None
            phase = phase.parent

    def _let_go(self, phase: Phase) -> None:
        outcome = self.outcomes[phase.key]
        self.budget.release(outcome.tree)
        outcome.tree = {}
        followed = all(self.outcomes[child.key].kept or not child.children for child in phase.children)
        if self.store is not None and outcome.kept and followed:
            self.store.thin(phase)
