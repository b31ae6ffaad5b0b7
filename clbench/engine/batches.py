"""The batches of a stage, made for several steps at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from clbench.context import Batch
from clbench.engine.data import batch_positions
from clbench.engine.lanes_context import LanesContext
from clbench.strategies.acts import Replay

BLOCK_STEPS = 64
"""Most steps whose batches are made together."""

BLOCK_BYTES = {"cpu": 2**20, "cuda": 2**26}
"""What such a block may take: on the CPU it has to stay in the cache until its steps are taken."""

INDEX_BYTES = 32
"""Bytes of a sample's address, rows and task."""


class Stretch(NamedTuple):
    """The batches of some steps, one after the other.

    Args:
        addresses: int64 `[lane, samples]`.
        ends: where each begins and the last ends, `[1 + steps]`.
        weights: of the samples in the loss, `[1 or lane, samples]`; None for 1 / batch.
        parts: where each batch's own samples begin and the last's end among all own ones, and the same of the
            samples whose stored outputs are taught, `[1 + steps, 2]`.
        places: of those outputs, int64 `[lane, taught]`; None where none are.
        slots: where the outputs of own samples are stored, int64 `[lane, own]`; None where they are not.
    """

    addresses: Tensor
    ends: np.ndarray
    weights: Tensor | None
    parts: np.ndarray
    places: Tensor | None
    slots: Tensor | None


class Batches:
    """The batches of a stage by step. A block of steps is gathered at once, laid out `[step, lane, batch]`.

    Args:
        context: the lanes.
        address: the stage's data, `[lane, samples]`.
        bounds: `(pass, start, stop)` of every step.
    """

    def __init__(self, context: LanesContext, address: Tensor, bounds: list[tuple[int, int, int]]) -> None:
        self.context = context
        program, tasks = context.program, context.program.chosen
        self.address = address
        self.extends, self.replay = program.acts.batch, program.acts.replay
        # The order in which data is passed through is named by its tasks.
        key = "-".join(str(task) for task in tasks)
        seeds = list(dict.fromkeys(context.seeds))
        orders = [batch_positions(seed, key, address.shape[1], bounds) for seed in seeds]
        self.orders = torch.stack(orders).to(program.device)
        place = {seed: index for index, seed in enumerate(seeds)}
        self.seed_of_lane = torch.tensor([place[seed] for seed in context.seeds], device=program.device)
        self.ends = np.cumsum([0] + [stop - start for _, start, stop in bounds])
        self.block_steps = self._block_steps(max(stop - start for _, start, stop in bounds))
        self.block_start = 0
        self.block: list[Batch] = []
        self.weights: dict[int, Tensor] = {}
        # One task: every sample of the stage has the same row of the mask.
        self.mask, own_alone = None, program.acts.data is None and self.replay is None
        if program.masks is not None and len(tasks) == 1 and own_alone:
            self.mask = program.masks[tasks[0]]

    def take(self, index: int, stop: int) -> Batch:
        """Return the batch of a step, counted from 0 in the stage.

        Args:
            index: of the step.
            stop: the steps before it are taken before anybody looks at the strategy's state.
        """
        if not self.block_start <= index < self.block_start + len(self.block):
            self._make_block(index, stop)
        batch = self.block[index - self.block_start]
        if self.extends is None:
            return batch
        added, weight = self.extends(self.context, self.context.state, batch.address)
        weight = self._joined(weight, batch.new, added.shape[1])
        return self.context.fetch(torch.cat([batch.address, added], 1), weight, batch.new)

    def stretch(self, start: int, stop: int) -> Stretch:
        """Return the batches of some steps as addresses; every step is asked for once, in order."""
        addresses, weights = list[Tensor](), list[Tensor]()
        places, slots = list[Tensor](), list[Tensor]()
        replay = self.replay
        sizes = [(0, 0, 0)]  # of batches, of their own samples, and of those taught
        for own, steps in self._groups(start, stop):
            whole, taught = own, 0
            if replay is not None:
                added = replay(self.context, self.context.state, own, steps)
                whole = torch.cat([own, added.address], 2)
                weight = self._joined(added.weight, own.shape[2], added.address.shape[2])
                weights.append(weight.repeat(1, len(steps)))
                taught = 0 if added.places is None else added.places.shape[2]
                places += [] if added.places is None else [added.places]
                slots += [] if added.slots is None else [added.slots]
            addresses.append(whole)
            sizes += [(whole.shape[2], own.shape[2], taught)] * len(steps)
        ends = np.cumsum(sizes, 0)
        return Stretch(
            addresses=_by_lane(addresses),
            ends=ends[:, 0].copy(),
            weights=torch.cat(weights, 1) if weights else None,
            parts=ends[:, 1:].copy(),
            places=_by_lane(places) if places else None,
            slots=_by_lane(slots) if slots else None,
        )

    def _joined(self, weight: Tensor, own: int, added: int) -> Tensor:
        """Return the weights of a whole batch, given those of what was added to it, or of all."""
        weight = weight if weight.dim() == 2 else weight[None]
        if weight.shape[1] == own + added:
            return weight
        return torch.cat([self._weight(own).expand(weight.shape[0], -1), weight], 1)

    def _weight(self, size: int) -> Tensor:
        if size not in self.weights:
            self.weights[size] = torch.full((1, size), 1.0 / size, device=self.context.device)
        return self.weights[size]

    def _block_steps(self, batch: int) -> int:
        inputs = self.context.data.inputs
        sample = INDEX_BYTES + inputs[0].numel() * inputs.element_size()
        samples = batch if self.replay is None else 2 * batch  # about as many come from memory
        room = BLOCK_BYTES.get(inputs.device.type, BLOCK_BYTES["cpu"])
        return max(1, min(BLOCK_STEPS, room // (self.context.lanes * samples * sample)))

    def _make_block(self, first: int, stop: int) -> None:
        last = min(first + self.block_steps, len(self.ends) - 1 if self.replay is None else stop)
        self.block_start, self.block = first, []
        for own, steps in self._groups(first, last):
            self.block += self._gathered(own, steps)

    def _groups(self, first: int, last: int) -> Iterator[tuple[Tensor, range]]:
        """Yield the own addresses `[step, lane, batch]` of steps with batches of one size, and which."""
        positions = self.orders[:, self.ends[first] : self.ends[last]][self.seed_of_lane]
        address = self.address.gather(1, positions)
        done = 0
        for size, steps in groupby(np.diff(self.ends[first : last + 1]).tolist()):
            count = len(list(steps))
            part = address[:, done : done + count * size].unflatten(1, (count, size))
            done += count * size
            yield part.transpose(0, 1).contiguous(), range(first, first + count)
            first += count

    def _gathered(self, address: Tensor, steps: range) -> list[Batch]:
        """Return the batches of some steps, whose own samples have the addresses `[step, lane, batch]`."""
        own = address.shape[2]
        added = Replay(address[..., :0], self._weight(own))
        if self.replay is not None:
            added = self.replay(self.context, self.context.state, address, steps)
        rows = self.context.data.resolve(torch.cat([address, added.address], 2))
        weight = self._joined(added.weight, own, added.address.shape[2])
        whole = self.context.batch(rows, weight, own, self.mask)
        parts = (whole.address, whole.inputs, whole.targets, whole.mask, added.places, added.slots)
        each_step = zip(*(_of_steps(part, len(steps)) for part in parts), strict=True)
        return [
            Batch(where, x, y, mask, weight, own, places, slots)
            for where, x, y, mask, places, slots in each_step
        ]


def _by_lane(groups: list[Tensor]) -> Tensor:
    """Return what groups of steps have `[step, lane, batch]`, one after the other, `[lane, samples]`."""
    return torch.cat([group.transpose(0, 1).flatten(1) for group in groups], 1)


def _of_steps(values: Tensor | None, steps: int) -> Sequence[Tensor | None]:
    """Return every step's part of `[step, …]`; all have the same mask `[outputs]`, or nothing."""
    return [values] * steps if values is None or values.dim() == 1 else values.unbind()
