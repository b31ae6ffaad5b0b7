"""A stage as a value: all that training carries from one evaluation point to the next."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

Tree = dict[str, Tensor]
"""Tensors with a lane dimension, by name."""

INSIDE = "state/"
"""Before the names of a state's tensors in a file."""


@dataclass(eq=False)
class StageState:
    """The state of some lanes at an evaluation point, or between two phases.

    Args:
        tree: tensors `[lane, …]` under `theta`, `optimizer/…`, `strategy/…`, and `stage/address` inside a
            stage whose data the strategy chose.
        stage: the last one that was begun.
        step: gradient steps so far.
        stage_step: those of them in this stage.
        passed: steps so far through the data of every choice of tasks.
    """

    tree: Tree
    stage: int = 0
    step: int = 0
    stage_step: int = 0
    passed: dict[tuple[int, ...], int] = field(default_factory=dict)

    @property
    def structure(self) -> tuple[object, ...]:
        """What states have in common whose lanes may share a program."""
        shapes = tuple((key, value.shape[1:], value.dtype) for key, value in self.tree.items())
        return (shapes, self.stage, self.step, self.stage_step, tuple(self.passed.items()))

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tree.values())

    def count(self, chosen: tuple[int, ...], steps: int) -> None:
        """Take note of steps of the stage, through the data of the chosen tasks."""
        self.step += steps
        self.stage_step += steps
        self.passed[chosen] = self.passed.get(chosen, 0) + steps

    def part(self, prefix: str) -> Tree:
        """Return the tensors under a prefix, by the rest of their names."""
        return {key[len(prefix) :]: self.tree[key] for key in self.tree if key.startswith(prefix)}

    def put(self, prefix: str, part: Mapping[str, Tensor]) -> None:
        """Replace all tensors under a prefix."""
        for key in [key for key in self.tree if key.startswith(prefix)]:
            del self.tree[key]
        self.tree.update({prefix + key: value for key, value in part.items()})


@dataclass(frozen=True, eq=False)
class LaneState:
    """A lane's place in a state, which is gone when none of its lanes is held any more."""

    state: StageState
    lane: int


def fork(lanes: Sequence[LaneState]) -> StageState:
    """Return a state with copies of lanes, which may come from several states of one structure, or twice."""
    first = lanes[0].state
    tree = {key: torch.stack([each.state.tree[key][each.lane] for each in lanes]) for key in first.tree}
    return StageState(tree, first.stage, first.step, first.stage_step, dict(first.passed))


def save(path: Path, state: StageState, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Write a state with other tensors and plain values, whole or not at all.

    Raises:
        OSError, SafetensorError: it could not be written.
    """
    numbers = {"stage": state.stage, "step": state.step, "stage_step": state.stage_step}
    passed = [[list(tasks), steps] for tasks, steps in state.passed.items()]
    # Copies: two tensors of a strategy may share memory, which a file does not know.
    inside = {
        INSIDE + key: value.clone(memory_format=torch.contiguous_format) for key, value in state.tree.items()
    }
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"state": json.dumps({**numbers, "passed": passed}), "plain": json.dumps(plain)}
        safetensors.torch.save_file({**inside, **tensors}, aside, metadata)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def load(path: Path, device: str) -> tuple[StageState, Tree, dict[str, Any]]:
    """Return a state, and what was written with it.

    Raises:
        OSError, SafetensorError, KeyError, ValueError: there is no such file, or it is none of ours.
    """
    with safe_open(path, "pt", device=device) as file:
        found = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    numbers = json.loads(metadata["state"])
    passed = {tuple(tasks): steps for tasks, steps in numbers.pop("passed")}
    state = StageState(found, **numbers, passed=passed)
    state.tree = state.part(INSIDE)
    others = {key: value for key, value in found.items() if not key.startswith(INSIDE)}
    return state, others, json.loads(metadata["plain"])
