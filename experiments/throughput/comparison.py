"""Everybody asked in turn: how long to train, then repetition after repetition, as long as time allows."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contenders import Contender
from worker import Worker

COLUMNS = ("part", "workload", "contender", "repetition", "x", "lanes", "tasks", "multiply_adds")
COLUMNS += ("short", "long", "short_seconds", "long_seconds", "samples", "step_us", "whole_us")
"""`samples`: of a run's step. `step_us`: (long − short) seconds a run and step between; of a limit one
byte or multiply-add. `whole_us`: long seconds a run and step."""


@dataclass
class Entry:
    """A contender with its lengths, in steps a task."""

    contender: Contender
    short: int = 0
    long: int = 0

    def ask(self, worker: Worker, steps: int = 0) -> dict[str, Any]:
        """Return the worker's answer."""
        request = dict(self.contender.request)
        if self.contender.workload != "-":
            request |= {"workload": self.contender.workload, "steps": steps}
        return worker.ask(**request)

    def calibrate(self, worker: Worker, seconds: float) -> None:
        """Choose the lengths so that the difference takes so many seconds, or half of what else there is."""
        one = self.contender
        if one.unit or one.fixed:
            self.long = one.fixed
            if one.lanes <= 64:
                self.ask(worker, min(one.fixed, 8))
            return
        self.short = short = one.short
        self.ask(worker, short)  # the first time something is compiled, imported, brought into caches
        base, length = self.ask(worker, short)["seconds"], 4 * short
        while (apart := self.ask(worker, length)["seconds"] - base) < max(0.02, 0.2 * base):
            if 4 * length > one.most:
                break
            length *= 4
        step = max(apart, 1e-4) / (length - short)
        steps = short + max(seconds, base / 2) / step
        self.long = max(min(int(steps), one.most) // short, 2) * short

    def measure(self, worker: Worker) -> dict[str, object]:
        """Return one repetition."""
        one = self.contender
        row: dict[str, object] = {name: getattr(one, name) for name in COLUMNS[:2] + COLUMNS[4:8]}
        row |= {"contender": one.name, "short": self.short, "long": self.long}
        if one.unit:
            return {**row, "step_us": self.ask(worker)["seconds"] * 1e6}
        of_a_step = one.lanes * one.tasks / 1e6
        short = self.ask(worker, self.short) if self.short else {"seconds": 0.0}
        long = self.ask(worker, self.long)
        row |= {"long_seconds": long["seconds"], "whole_us": long["seconds"] / self.long / of_a_step}
        if "samples" in long:
            row["samples"] = long["samples"] / self.long / one.tasks
        if self.short:
            row["short_seconds"] = short["seconds"]
            between = self.long - self.short
            row["step_us"] = (long["seconds"] - short["seconds"]) / between / of_a_step
            if "samples" in long:
                row["samples"] = (long["samples"] - short["samples"]) / between / one.tasks
        return row


def compare(
    contenders: Sequence[Contender],
    workers: Mapping[str, Worker],
    repetitions: int,
    seconds: float,
    until: float,
) -> tuple[list[dict[str, object]], int]:
    """Return the rows of all repetitions, and how many there were; who fails once is not asked again.

    Args:
        contenders: who is asked, in this order, in every repetition.
        workers: by name; without its worker a contender is left out.
        repetitions: at most.
        seconds: that the difference of two lengths shall take.
        until: by `time.monotonic()`; a repetition that would end later does not begin, but for the first.
    """
    entries = [Entry(one) for one in contenders if one.worker in workers]
    failed: set[str] = set()

    def guarded(entry: Entry, work: Any, *arguments: object) -> Any:
        one = entry.contender
        try:
            return work(workers[one.worker], *arguments)
        except RuntimeError as error:
            print(f"{one.part}, {one.workload}, {one.name}: {error}", file=sys.stderr)
            failed.add(str(one))
            return None

    for entry in entries:
        guarded(entry, entry.calibrate, seconds)
    rows: list[dict[str, object]] = []
    for repetition in range(repetitions):
        began = time.monotonic()
        for entry in entries:
            if str(entry.contender) not in failed and (row := guarded(entry, entry.measure)):
                rows.append({**row, "repetition": repetition})
        ended = time.monotonic()
        _tell(f"repetition {repetition + 1} of {repetitions}: {ended - began:.0f} s")
        if ended + (ended - began) > until and repetition + 1 < repetitions:
            _tell("the time is over: no further repetition")
            return rows, repetition + 1
    return rows, repetitions


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
