"""An optimiser with one state for all parameters, that counts the steps of every head apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, pairwise
from operator import attrgetter

from torch import Tensor

from clbench.config import Training
from clbench.models.base import Layout
from clbench.models.buffers import padded
from clbench.optimizers.base import COUNT, Optimizer, Range, State
from clbench.streams.base import Stream

HEAD = ("head.weight", "head.bias")
"""The parameters of the output layer, a row for each output."""


@dataclass(frozen=True)
class Head:
    """The outputs `[low, high)` of the output layer, whose steps are counted apart.

    Args:
        outputs: low and high.
        places: where the rows of the weights and of the biases begin and end in a lane.
    """

    outputs: tuple[int, int]
    places: tuple[tuple[int, int], ...]

    @property
    def suffix(self) -> str:
        """What follows the name of what is kept for this head alone."""
        return f"/head-{self.outputs[0]}-{self.outputs[1]}"


@dataclass(frozen=True)
class SeparateHeads:
    """An optimiser that takes the step of every head in use by a count of its own, and none of an idle one.

    Args:
        optimizer: what takes the steps.
        heads: all of them; no two share an output.
        used: outputs of those that a gradient reaches, even if it is zero.
    """

    optimizer: Optimizer
    heads: tuple[Head, ...]
    used: frozenset[tuple[int, int]]

    def init(self, theta: Tensor) -> State:
        """Return fresh state: what is `[lane]` once more for every head, under `<key>/head-<low>-<high>`."""
        found = self.optimizer.init(theta)
        counts = {key: value for key, value in found.items() if value.dim() == 1}
        for head in self.heads:
            found |= {key + head.suffix: value.clone() for key, value in counts.items()}
        return found

    def ranges(self, padded: int) -> tuple[Range, ...]:
        """Return what is stepped, first what belongs to no head; see `Optimizer.ranges`."""
        edges = [0, *chain(*sorted(chain(*(head.places for head in self.heads)))), padded]
        shared = [
            Range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop
        ]
        used = [head for head in self.heads if head.outputs in self.used]
        own = [Range(*place, COUNT + head.suffix) for head in used for place in head.places]
        return (*shared, *own)

    def bind(self, theta: Tensor, gradient: Tensor, state: State) -> Callable[[], None]:
        """Return a function that takes one step; see `Optimizer.bind`."""
        parts = groupby(self.ranges(theta.shape[1]), attrgetter("count"))
        steps = [self._bound(count, list(ranges), theta, gradient, state) for count, ranges in parts]

        def step_all() -> None:
            for step in steps:
                step()

        return step_all

    def _bound(
        self, count: str, ranges: Sequence[Range], theta: Tensor, gradient: Tensor, state: State
    ) -> Callable[[], None]:
        """Return the step of what has one count, on copies that lie together as the kernels need it."""
        suffix = count.removeprefix(COUNT)
        counts = {key.removesuffix(suffix): value for key, value in state.items() if key.endswith(suffix)}
        moments = {key: value for key, value in state.items() if value.dim() == 2}
        vectors = [gradient, theta, *moments.values()]
        ends = list(accumulate((part.stop - part.start for part in ranges), initial=0))
        copies = [theta.new_zeros(theta.shape[0], padded(ends[-1])) for _ in vectors]
        step = self.optimizer.bind(copies[1], copies[0], counts | dict(zip(moments, copies[2:], strict=True)))
        places = [
            (slice(part.start, part.stop), slice(*own))
            for part, own in zip(ranges, pairwise(ends), strict=True)
        ]
        pairs = [
            (vector[:, place], copy[:, own])
            for vector, copy in zip(vectors, copies, strict=True)
            for place, own in places
        ]
        changed = pairs[len(places) :]  # all but the gradient's

        def step_ranges() -> None:
            for whole, copy in pairs:
                copy.copy_(whole)
            step()
            for whole, copy in changed:
                whole.copy_(copy)

        return step_ranges


def heads_of(training: Training, layout: Layout, stream: Stream) -> tuple[Head, ...]:
    """Return the heads whose steps an optimiser counts apart; none where they are slices of one layer."""
    if training.heads == "sliced" or stream.scenario != "task":
        return ()
    shapes = {parameter.name: parameter.shape for parameter in layout.parameters}
    rows = []  # of each tensor of the layer: where it begins, and the width of a row
    for name, place in layout.slices().items():
        if name in HEAD:
            rows.append((place.start, (place.stop - place.start) // shapes[name][0]))
    return tuple(
        Head((low, high), tuple((start + low * row, start + high * row) for start, row in rows))
        for low, high in dict.fromkeys(task.outputs for task in stream.tasks)
    )


def heads_problems(training: Training, layout: Layout, stream: Stream) -> Iterator[str]:
    """Yield a line where separate heads are asked for but the model, or the stream, has no heads apart."""
    if training.heads == "sliced" or stream.scenario != "task":
        return
    asked = f"got training.heads={training.heads} with"
    if HEAD[0] not in layout.slices():
        yield (
            f"Separate heads need an output layer named head; {asked} a model of "
            f"{', '.join(layout.slices())}. Use training.heads=sliced."
        )
    for (low, high), (start, stop) in pairwise(sorted({task.outputs for task in stream.tasks})):
        if start < high:
            yield (
                f"Separate heads share no output; {asked} tasks of the outputs {low} to {high - 1} and "
                f"{start} to {stop - 1}. Use training.heads=sliced."
            )
