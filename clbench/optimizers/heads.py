"""An optimiser with one state for all parameters, and one more for every head of the output layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.config import Training
from clbench.models.base import ALIGNMENT, Layout
from clbench.optimizers.fused import Optimizer, State
from clbench.streams.base import Stream

HEAD = ("head.weight", "head.bias")
"""The parameters of the output layer, a row for each output."""


@dataclass(frozen=True)
class Head:
    """The outputs `[low, high)` of the output layer, as a tensor of their own.

    Args:
        outputs: low and high.
        places: where the rows of the weights and of the biases begin and end in a lane.
    """

    outputs: tuple[int, int]
    places: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """What its state is called."""
        return f"head-{self.outputs[0]}-{self.outputs[1]}"

    def take(self, flat: Tensor) -> Tensor:
        """Return a copy of the head's part of `flat` `[lane, padded]`, padded as lanes are."""
        size = sum(stop - start for start, stop in self.places)
        found = torch.zeros(flat.shape[0], -(-size // ALIGNMENT) * ALIGNMENT, device=flat.device)
        self.copy(flat, found)
        return found

    def copy(self, flat: Tensor, head: Tensor) -> None:
        """Overwrite `head` with its part of `flat`."""
        for place, own in self._pairs():
            head[:, own] = flat[:, place]

    def put(self, head: Tensor, flat: Tensor) -> None:
        """Overwrite the head's part of `flat`."""
        for place, own in self._pairs():
            flat[:, place] = head[:, own]

    def _pairs(self) -> list[tuple[slice, slice]]:
        pairs, begin = [], 0
        for start, stop in self.places:
            pairs.append((slice(start, stop), slice(begin, begin + stop - start)))
            begin += stop - start
        return pairs


@dataclass(frozen=True)
class SeparateHeads:
    """An optimiser whose step of the whole layer is undone on the heads; each in use takes its own instead.

    Args:
        optimizer: what takes the steps.
        heads: all of them.
        used: outputs of those that a gradient reaches, even if it is zero.
    """

    optimizer: Optimizer
    heads: tuple[Head, ...]
    used: frozenset[tuple[int, int]]

    def init(self, theta: Tensor) -> State:
        """Return fresh state, of the heads under `<head>/…`."""
        found = self.optimizer.init(theta)
        for head in self.heads:
            own = self.optimizer.init(head.take(theta))
            found |= {f"{head.name}/{key}": value for key, value in own.items()}
        return found

    def bind(self, theta: Tensor, gradient: Tensor, state: State) -> Callable[[], None]:
        """Return a function that takes one step; see `Optimizer.bind`."""
        whole = self.optimizer.bind(theta, gradient, state)
        parts = []
        for head in self.heads:
            own_theta, own_gradient, prefix = head.take(theta), head.take(gradient), f"{head.name}/"
            own = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
            step = self.optimizer.bind(own_theta, own_gradient, own) if head.outputs in self.used else None
            parts.append((head, own_theta, own_gradient, step))

        def step_all() -> None:
            for head, own_theta, own_gradient, _ in parts:
                head.copy(theta, own_theta)
                head.copy(gradient, own_gradient)
            whole()
            for head, own_theta, _, step in parts:
                if step is not None:
                    step()
                head.put(own_theta, theta)

        return step_all


def heads_of(training: Training, layout: Layout, stream: Stream) -> tuple[Head, ...]:
    """Return the heads with an optimiser's state of their own; none where they are slices of one layer."""
    if training.heads == "sliced" or stream.scenario != "task":
        return ()
    shapes = {parameter.name: parameter.shape for parameter in layout.parameters}
    rows = []  # of each tensor of the layer: where it begins, and the width of a row
    for name, place in layout.slices().items():
        if name in HEAD:
            rows.append((place.start, (place.stop - place.start) // shapes[name][0]))
    ranges = dict.fromkeys(task.outputs for task in stream.tasks)
    return tuple(
        Head((low, high), tuple((start + low * row, start + high * row) for start, row in rows))
        for low, high in ranges
    )


def heads_problems(training: Training, layout: Layout, stream: Stream) -> list[str]:
    """Return a line when separate heads are asked for of a model without an output layer of that name."""
    if training.heads != "sliced" and stream.scenario == "task" and HEAD[0] not in layout.slices():
        return [
            f"Separate heads need an output layer named head; got training.heads={training.heads} with a "
            f"model of {', '.join(layout.slices())}. Use training.heads=sliced."
        ]
    return []
