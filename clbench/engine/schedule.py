"""What may run now: phases whose parent is done, as programs, as far as the memory goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition

from clbench.engine.cohorts import cohort_of, split_cohort
from clbench.engine.lane import ReadyPhase
from clbench.engine.memory import Budget


class Schedule:
    """The phases that are ready, shared by all workers.

    A worker that is free takes a program. Where none is left, the largest cohort of the first stage is split
    into programs; the others stay whole meanwhile, and grow.

    Args:
        workers: how many there are.
        budget: of the memory.
        look_up: returns what follows from a phase that needs no training, or else None.
    """

    def __init__(
        self, workers: int, budget: Budget, look_up: Callable[[ReadyPhase], Sequence[ReadyPhase] | None]
    ) -> None:
        self.workers, self.budget, self.look_up = workers, budget, look_up
        self.waiting: list[ReadyPhase] = []  # for memory
        self.cohorts: dict[tuple[object, ...], list[ReadyPhase]] = {}
        self.programs: deque[list[ReadyPhase]] = deque()
        self.busy = 0
        self.closed = False
        self.changed = Condition()

    def take(self) -> tuple[list[ReadyPhase], int] | None:
        """Return a program and how many cores it has; wait for one; None when nothing more will come."""
        with self.changed:
            while not self.closed:
                if self.cohorts and not self.programs:
                    self._split()
                if self.programs:
                    program = self.programs.popleft()
                    # Setting the threads of one product may set those of others: one by itself gets more.
                    alone = not (self.busy or self.programs or self.cohorts)
                    self.busy += 1
                    return program, self.workers if alone else 1
                if not self.busy:
                    break
                self.changed.wait()
            return None

    def done(self) -> None:
        """Take note that a worker has added all that follows from what it took."""
        with self.changed:
            self.busy -= 1
            self.changed.notify_all()

    def close(self) -> None:
        """Give out nothing more."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def add(self, ready: Sequence[ReadyPhase]) -> None:
        """Add phases; those that need no training are gone through at once, as long as there is memory."""
        while True:
            with self.changed:
                self.waiting += ready
                admitted = self._admitted()
            if not admitted:
                return
            ready = []
            for each in admitted:
                following = self.look_up(each)
                if following is not None:
                    ready += following
                    continue
                with self.changed:
                    self.cohorts.setdefault(cohort_of(each), []).append(each)

    def _admitted(self) -> list[ReadyPhase]:
        """Return the phases for which there is memory: deepest first, and one at least if nothing runs."""
        admitted = [ready for ready in self.waiting if ready.claim is not None and ready.claim.whole]
        others = [ready for ready in self.waiting if ready.claim is None or not ready.claim.whole]
        others.sort(key=lambda ready: ready.phase.level, reverse=True)
        count = self.budget.fitting([ready.phase for ready in others])
        whole = bool(count)
        if not (count or admitted or self.busy > 1 or self.programs or self.cohorts):
            count = 1  # what follows from this one alone is too much: part by part, while its own state stays
        self.waiting = others[count:]
        if chosen := others[:count]:
            phases, held = [ready.phase for ready in chosen], {ready.claim for ready in chosen}
            claim = self.budget.claim(phases, whole, held)
            admitted += [replace(ready, claim=claim) for ready in chosen]
        return admitted

    def _split(self) -> None:
        key = min(self.cohorts, key=lambda key: (self.cohorts[key][0].phase.level, -len(self.cohorts[key])))
        self.programs += split_cohort(self.cohorts.pop(key), self.workers)
