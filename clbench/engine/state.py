"""What training carries from one phase to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

Tree = dict[str, Tensor]
"""Tensors with a lane dimension under `theta`, `optimizer/…`, `strategy/…`."""


@dataclass(eq=False)
class StageState:
    """The state of a program's lanes.

    Args:
        tree: the tensors.
        step: gradient steps so far.
        passed: steps taken through the data of every choice of tasks so far.
    """

    tree: Tree
    step: int = 0
    passed: dict[tuple[int, ...], int] = field(default_factory=dict)
