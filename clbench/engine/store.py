"""Finished stages on disk, under the hash of all that shaped them.

Every first stage is kept: a later sweep with other λ starts from the stored θ_A instead of training task A
again. Later stages are kept where they took long: a sweep that was stopped goes on with the stage it was in.
An entry has a lane's state and record; where all that follows from a later stage is kept as well, or
finished, its state goes (`drop_state`), so that of a long run one state stays, and the records of all stages.

Entries are written whole or not at all (aside, then renamed), so that two sweeps may use one store at once;
the least recently used ones go when the store grows past its bound.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from clbench.config import fingerprint
from clbench.engine.lane import LaneRecord, ReadyPhase
from clbench.engine.plan import Phase
from clbench.engine.recorder import StageRecord
from clbench.engine.state import INSIDE, LaneState, StageState, Tree, fork, load, save
from clbench.sources import training_sources

STATE = f"{INSIDE}theta"
"""What an entry has as long as its state is kept."""


class StageStore:
    """A folder of finished stages.

    Args:
        folder: made when first written to.
        limit: most bytes that stay.
        least_seconds: of a lane, from which on a later stage is kept.
    """

    def __init__(self, folder: Path, limit: int = 2 * 2**30, least_seconds: float = 5.0) -> None:
        self.folder = folder
        self.limit = limit
        self.least_seconds = least_seconds
        self.kept: set[str] = set()
        """Keys of the phases that were loaded or saved."""

    def keeps(self, record: LaneRecord) -> bool:
        """Tell whether a phase belongs into the store: whole chains from the first stage on do."""
        phase = record.phase
        if not (phase.children and record.alive):
            return False
        if phase.parent is None or phase.stage == 0:
            return True
        long = phase.kind != "train" or record.seconds >= self.least_seconds
        return phase.parent.key in self.kept and long

    def can_go_on(self, phase: Phase) -> bool:
        """Tell whether runs can start after a phase: its state is kept, or all that follows from it is."""
        try:
            with safe_open(self._path(phase), "pt") as file:
                whole = STATE in file.keys()  # noqa: SIM118
        except (OSError, SafetensorError):
            return False
        return whole or (bool(phase.children) and all(self.can_go_on(child) for child in phase.children))

    def load(self, ready: ReadyPhase) -> tuple[LaneState, LaneRecord] | None:
        """Return what a phase that later ones start from left, or None where it is not stored."""
        phase = ready.phase
        if not (phase.children and self.can_go_on(phase)):
            return None
        path = self._path(phase)
        try:
            state, tensors, plain = load(path, phase.run.device)
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        self.kept.add(phase.key)
        arrays = {key: value.cpu().numpy() for key, value in tensors.items()}
        stage = _record(arrays, plain["record"]) if plain["record"] else None
        return LaneState(state, 0), LaneRecord(phase, ready.before, stage, lanes=plain["lanes"], stored=True)

    def save(self, state: LaneState, record: LaneRecord) -> None:
        """Keep what a phase left. A full disk or a folder without permission costs only the entry."""
        tensors: Tree = {}
        plain: dict[str, Any] = {"lanes": record.lanes, "record": None}
        if (stage := record.record) is not None:
            lane = record.lane
            arrays = {"step": stage.step, "full": stage.full, **stage.of_lane(lane)}
            if stage.function is not None:
                arrays["function"] = stage.function[lane]
            tensors = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}
            plain["record"] = {"steps": stage.steps, "samples": stage.samples}
        if self._write(record.phase, fork([state]), tensors, plain):
            self.kept.add(record.phase.key)

    def drop_state(self, phase: Phase) -> None:
        """Drop the state of a later stage from which nobody starts any more; its record stays.

        It stays as well where what follows is not kept: a sweep that is stopped goes on from there.
        """
        followed = all(child.key in self.kept or not child.children for child in phase.children)
        if phase.stage == 0 or not followed:
            return
        with contextlib.suppress(OSError, SafetensorError, KeyError, ValueError):
            state, tensors, plain = load(self._path(phase), "cpu")
            state.tree = {}
            self._write(phase, state, tensors, plain)

    def trim(self) -> None:
        """Remove the least recently used entries until the store is within its bound."""
        entries = []
        with contextlib.suppress(OSError):
            for path in self.folder.glob("*.safetensors"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _write(self, phase: Phase, state: StageState, tensors: Tree, plain: dict[str, Any]) -> bool:
        try:
            save(self._path(phase), state, tensors, plain)
        except (OSError, SafetensorError):
            return False
        return True

    def _path(self, phase: Phase) -> Path:
        key = fingerprint(phase.key, training_sources(), torch.__version__)
        return self.folder / f"{key}.safetensors"


def default_folder() -> Path:
    """Return `clbench/stages` in the user's cache folder (`XDG_CACHE_HOME`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clbench" / "stages"


def _record(arrays: dict[str, np.ndarray], plain: dict[str, int]) -> StageRecord:
    step, full, function = arrays.pop("step"), arrays.pop("full"), arrays.pop("function", None)
    lane = {name: values[:, None] for name, values in arrays.items()}
    return StageRecord(step, full, lane, **plain, function=None if function is None else function[None])
