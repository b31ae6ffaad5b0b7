"""The optimiser at work on a program: one state for all parameters, or one more for every head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from clbench.config import Training
from clbench.models.base import ALIGNMENT, Layout
from clbench.runs import Run
from clbench.strategies.acts import Acts, tasks_of
from clbench.streams.base import Stream

if TYPE_CHECKING:
    from clbench.engine.program import Program, Tree

HEAD = ("head.weight", "head.bias")
"""The parameters of the output layer, a row for each output."""


def init_optimizer(run: Run, stream: Stream, tree: Tree) -> None:
    """Put fresh state into the tree under `optimizer/…`; of separate heads under `optimizer/<head>/…`."""
    for key, value in run.optimizer.init(tree["theta"]).items():
        tree[f"optimizer/{key}"] = value
    for head in separate_heads(run.training, run.model.layout(stream), stream):
        for key, value in run.optimizer.init(head.take(tree["theta"])).items():
            tree[f"optimizer/{head.name}/{key}"] = value


def bind_optimizer(program: Program, gradient: Tensor) -> Callable[[], None]:
    """Return the optimiser's step on `gradient` `[lane, padded]`, in place on the program's parameters.

    With separate heads the step of the whole layer is undone on them, and each that is in use takes its own.
    """
    whole = _bind(program, program.theta, gradient, "optimizer/")
    run = program.runs[0]
    heads = separate_heads(run.training, program.layout, program.stream)
    if not heads:
        return whole
    used = heads_in_use(run.training.heads, program.acts, program.stream, program.stage)
    parts = []
    for head in heads:
        theta, pulled = head.take(program.theta), head.take(gradient)
        own = _bind(program, theta, pulled, f"optimizer/{head.name}/") if head.outputs in used else None
        parts.append((head, theta, pulled, own))

    def step() -> None:
        for head, theta, pulled, _ in parts:
            head.copy(program.theta, theta)
            head.copy(gradient, pulled)
        whole()
        for head, theta, _, own in parts:
            if own is not None:
                own()
            head.put(theta, program.theta)

    return step


class Head:
    """The outputs `[low, high)` of the output layer, as a tensor of their own.

    Args:
        outputs: low and high.
        places: where the rows of the weights and of the biases lie in a lane.
    """

    def __init__(self, outputs: tuple[int, int], places: tuple[slice, ...]) -> None:
        self.outputs = outputs
        self.places = places
        self.name = f"head-{outputs[0]}-{outputs[1]}"
        self.size = sum(place.stop - place.start for place in places)

    def take(self, flat: Tensor) -> Tensor:
        """Return a copy of the head's part of `flat` `[lane, padded]`, padded as lanes are."""
        padded = -(-self.size // ALIGNMENT) * ALIGNMENT
        found = torch.zeros(flat.shape[0], padded, device=flat.device)
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
        pairs, start = [], 0
        for place in self.places:
            stop = start + place.stop - place.start
            pairs.append((place, slice(start, stop)))
            start = stop
        return pairs


def separate_heads(training: Training, layout: Layout, stream: Stream) -> list[Head]:
    """Return the heads with an optimiser's state of their own; none where they are slices of one layer."""
    if training.heads == "sliced" or stream.scenario != "task":
        return []
    shapes = {parameter.name: parameter.shape for parameter in layout.parameters}
    places = layout.slices()
    heads = []
    for low, high in dict.fromkeys(task.outputs for task in stream.tasks):
        rows = []
        for name in HEAD:
            if name in places:
                start, width = places[name].start, places[name].stop - places[name].start
                row = width // shapes[name][0]
                rows.append(slice(start + low * row, start + high * row))
        heads.append(Head((low, high), tuple(rows)))
    return heads


def heads_in_use(kind: str, acts: Acts, stream: Stream, stage: int) -> set[tuple[int, int]]:
    """Return the heads that a gradient reaches in a stage, even if it is zero.

    A penalty reaches all, as do losses on all outputs (`Acts.all_outputs`). What otherwise acts on data,
    outputs or gradients reaches those of the tasks so far. Where idle heads are filled with
    zeros (`separate_zeros`), a head once in use stays so.

    Args:
        kind: `Training.heads`.
        acts: where the strategy acts in this stage.
        stream: whose tasks have the heads.
        stage: from 0.
    """
    tasks = set(tasks_of(acts.tasks, stage, len(stream.tasks)))
    if acts.penalises or (acts.loss and acts.all_outputs):
        tasks |= set(range(len(stream.tasks)))
    elif acts.data or acts.batch or acts.loss or acts.gradient or kind == "separate_zeros":
        tasks |= set(range(stage + 1))
    return {stream.tasks[task].outputs for task in tasks}


def heads_problems(training: Training, layout: Layout, stream: Stream) -> list[str]:
    """Return a line when separate heads are asked for of a model without an output layer of that name."""
    if training.heads != "sliced" and stream.scenario == "task" and HEAD[0] not in layout.slices():
        return [
            f"Separate heads need an output layer named head; got training.heads={training.heads} with a "
            f"model of {', '.join(layout.slices())}. Use training.heads=sliced."
        ]
    return []


def equal_ranges(parts: Sequence[object]) -> list[tuple[int, int]]:
    """Return the ranges of neighbours that are equal."""
    ranges, start = [], 0
    for index in range(1, len(parts) + 1):
        if index == len(parts) or parts[index] != parts[start]:
            ranges.append((start, index))
            start = index
    return ranges


def _bind(program: Program, theta: Tensor, gradient: Tensor, prefix: str) -> Callable[[], None]:
    """Return the step with the state under `prefix`; lanes with equal numbers share one call."""
    state = {
        key.removeprefix(prefix): value
        for key, value in program.tree.items()
        if key.startswith(prefix) and "/" not in key.removeprefix(prefix)
    }
    steps = []
    runs = program.runs[:1] if program.doubled else program.runs  # nobody reads what a double learns
    for start, stop in equal_ranges([run.optimizer for run in runs]):
        part = {key: value[start:stop] for key, value in state.items()}
        optimizer = program.runs[start].optimizer
        steps.append(optimizer.bind(theta[start:stop], gradient[start:stop], part))
    if len(steps) == 1:
        return steps[0]

    def step_all() -> None:
        for step in steps:
            step()

    return step_all
