"""How much memory a sweep may hold, how much it holds, and how much a lane's state will take."""

from __future__ import annotations

import os
import re
import resource
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from clbench.engine.plan import Phase
from clbench.errors import ConfigurationError

UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}

SHARE_OF_MACHINE = 0.5
"""What a sweep may take of the machine where the user names no budget."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def parse_bytes(value: int | str | None) -> int | None:
    """Return a number of bytes, as `8GB`, `500 MiB` or 8000000000 say it; None for None.

    Raises:
        ConfigurationError: it says no positive size.
    """
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).strip().lower())
    size = float(found[1]) * UNITS.get(found[2], 0) if found else 0.0
    if size < 1:
        raise ConfigurationError(
            f"memory must be a size above 0; got memory={value}. "
            "Write it like memory=8GB or memory=500MiB, or null for half of the machine's."
        )
    return int(size)


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


class Budget:
    """The bytes that the states of a sweep's lanes may take.

    Phases that start together train level by level, and the states of a level and those that they started
    from are held at once. So two neighbouring levels must fit.

    Args:
        limit: for the whole process; None for half of the machine's memory.
        device: where the states lie.
    """

    def __init__(self, limit: int | None, device: torch.device) -> None:
        whole = limit or int(SHARE_OF_MACHINE * machine_memory(device))
        self.room = whole if device.type == "cuda" else max(whole - held_memory(), 0)
        self.held: dict[int, list[int]] = {}
        """Of every living chunk's state, by its identity: its bytes, and how many lanes still need it."""

    def hold(self, state: dict[str, Tensor]) -> None:
        """Count a lane that needs a chunk's state."""
        if id(state) not in self.held:
            self.held[id(state)] = [sum(tensor.nbytes for tensor in state.values()), 0]
        self.held[id(state)][1] += 1

    def release(self, state: dict[str, Tensor]) -> None:
        """Count a lane that needs it no more; with the last one the state is gone."""
        self.held[id(state)][1] -= 1
        if not self.held[id(state)][1]:
            del self.held[id(state)]

    def fitting(self, ready: Sequence[Phase]) -> int:
        """Return how many of these phases, from the first on, may run to the end together, maybe none."""
        left = self.room - sum(size for size, _ in self.held.values())
        levels: Counter[tuple[int, bool]] = Counter()
        for count, phase in enumerate(ready):
            _add_states(phase, levels)
            sizes = [0, *(levels[level] for level in sorted(levels))]
            if max(before + after for before, after in pairwise(sizes)) > left:
                return count
        return len(ready)


def _add_states(first: Phase, levels: Counter[tuple[int, bool]]) -> None:
    """Add the bytes of the states after a phase and after all that follows from it, level by level."""
    following = [first]
    while following:
        phase = following.pop()
        levels[phase.level] += state_bytes(phase)
        following += phase.children


def state_bytes(phase: Phase) -> int:
    """Return about how many bytes a lane's state takes after a phase.

    Parameters and two moments; where a strategy acts, anchors, importances and a path integral as well.
    """
    vectors = 3 if phase.strategy is None else 7
    return 4 * vectors * phase.run.model.layout(phase.stream).padded
