"""How much memory a sweep may hold, how much it holds, and how much a lane's state will take."""

from __future__ import annotations

import os
import resource
import sys
import weakref
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from pathlib import Path

import torch

from clbench.engine.plan import Phase

SHARE_OF_MACHINE = 0.5
"""What a sweep may take of the machine where the user names no budget."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_memory(device: torch.device) -> int:
    """Return the bytes of the machine (or of its container), or those free on a GPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(total, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no such limit
        return total


def held_memory() -> int:
    """Return the bytes that this process holds now; 0 where the system doesn't tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has held so far, on a GPU those of torch's tensors."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Claim:
    """Memory that is set aside as long as anybody holds this.

    Args:
        size: in bytes.
        whole: whether for all that follows too, or else only for the state after the phase itself.
        others: claims that are held as long as this one.
    """

    def __init__(self, size: int, whole: bool, others: Iterable[Claim | None]) -> None:
        self.size, self.whole = size, whole
        self.others = {other for other in others if other is not None}


class Budget:
    """The bytes that the states of a sweep's lanes may take.

    A phase begins when there is room for all that follows from it, too: the states of its children beside its
    own, and of theirs when it is gone.

    Args:
        limit: for the whole process; None for half of the machine's memory.
        device: where the states lie.
        phases: all that there are, each after its parent.
    """

    def __init__(self, limit: int | None, device: torch.device, phases: Sequence[Phase]) -> None:
        whole = limit or int(SHARE_OF_MACHINE * machine_memory(device))
        self.room = whole if device.type == "cuda" else max(whole - held_memory(), 0)
        self.claims: list[weakref.ref[Claim]] = []
        self.own: dict[str, int] = {}
        """Of every phase, the bytes of a lane's state after it."""
        self.need: dict[str, int] = {}
        """Of every phase, the bytes that it and all that follows from it need at once."""
        for phase in reversed(phases):
            children = [child.key for child in phase.children]
            self.own[phase.key] = state_bytes(phase)
            beside = self.own[phase.key] + sum(self.own[key] for key in children)
            self.need[phase.key] = max(beside, sum(self.need[key] for key in children))

    def fitting(self, waiting: Sequence[Phase]) -> int:
        """Return how many of these phases, from the first on, may run to the end together, maybe none."""
        left = self.left()
        needs = accumulate(self.need[phase.key] for phase in waiting)
        return sum(1 for _ in takewhile(lambda need: need <= left, needs))

    def left(self) -> int:
        """Return the bytes that nobody has claimed."""
        self.claims = [claim for claim in self.claims if claim() is not None]
        return self.room - sum(claim.size for reference in self.claims if (claim := reference()) is not None)

    def claim(self, phases: Sequence[Phase], whole: bool, others: Iterable[Claim | None]) -> Claim:
        """Return a claim on what phases need to run to the end (`whole`), or on their own states alone."""
        sizes = self.need if whole else self.own
        claim = Claim(sum(sizes[phase.key] for phase in phases), whole, others)
        self.claims.append(weakref.ref(claim))
        return claim


def state_bytes(phase: Phase) -> int:
    """Return about how many bytes a lane's state takes after a phase.

    Parameters and two moments; where a strategy acts, anchors, importances and a path integral as well.
    """
    vectors = 3 if phase.strategy is None else 7
    return 4 * vectors * phase.run.model.layout(phase.stream).padded
