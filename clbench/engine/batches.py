"""The batches of a stage, made for several steps at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from clbench.context import Batch
from clbench.engine.data import batch_positions
from clbench.engine.lanes_context import LanesContext

BLOCK_STEPS = 64
"""Most steps whose batches are made together."""

BLOCK_BYTES = {"cpu": 2**20, "cuda": 2**26}
"""What such a block may take: on the CPU it has to stay in the cache until its steps are taken."""

INDEX_BYTES = 32
"""Bytes of a sample's address, rows and task."""


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
        self.extends = program.acts.batch
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
        self.addresses: list[Tensor] = []
        self.block: list[Batch] = []
        self.weights: dict[int, Tensor] = {}
        # One task: every sample of the stage has the same row of the mask.
        self.mask = None
        if program.masks is not None and len(tasks) == 1 and program.acts.data is None:
            self.mask = program.masks[tasks[0]]

    def __getitem__(self, index: int) -> Batch:
        """Return the batch of a step, counted from 0 in the stage."""
        if not self.block_start <= index < self.block_start + len(self.addresses):
            self._make_block(index)
        if self.extends is None:
            return self.block[index - self.block_start]
        address = self.addresses[index - self.block_start]
        return self._extended(address, *self.extends(self.context, self.context.state, address))

    def _extended(self, address: Tensor, added: Tensor, weight: Tensor) -> Batch:
        """Return the batch with what the strategy adds from its memory."""
        size = address.shape[1]
        weight = weight if weight.dim() == 2 else weight[None]
        if weight.shape[1] == added.shape[1]:
            weight = torch.cat([self._weight(size).expand(weight.shape[0], -1), weight], 1)
        return self.context.fetch(torch.cat([address, added], 1), weight, size)

    def _weight(self, size: int) -> Tensor:
        if size not in self.weights:
            self.weights[size] = torch.full((1, size), 1.0 / size, device=self.context.device)
        return self.weights[size]

    def _block_steps(self, batch: int) -> int:
        inputs = self.context.data.inputs
        sample = INDEX_BYTES + inputs[0].numel() * inputs.element_size()
        room = BLOCK_BYTES.get(inputs.device.type, BLOCK_BYTES["cpu"])
        return max(1, min(BLOCK_STEPS, room // (self.context.lanes * batch * sample)))

    def _make_block(self, first: int) -> None:
        last = min(first + self.block_steps, len(self.ends) - 1)
        positions = self.orders[:, self.ends[first] : self.ends[last]][self.seed_of_lane]
        address = self.address.gather(1, positions)
        self.block_start, self.addresses, self.block = first, [], []
        done = 0
        for size, steps in groupby(np.diff(self.ends[first : last + 1]).tolist()):
            count = len(list(steps))
            part = address[:, done : done + count * size].unflatten(1, (count, size))
            done += count * size
            part = part.transpose(0, 1).contiguous()
            self.addresses += part.unbind()
            if self.extends is None:
                self.block += self._gathered(part)

    def _gathered(self, address: Tensor) -> list[Batch]:
        """Return the batches of addresses `[step, lane, batch]`."""
        steps, _, size = address.shape
        weight = self._weight(size)
        whole = self.context.batch(self.context.data.resolve(address), weight, size, self.mask)
        masks: Sequence[Tensor | None] = [whole.mask] * steps
        if self.mask is None and whole.mask is not None:
            masks = whole.mask.unbind()
        parts = zip(address.unbind(), whole.inputs.unbind(), whole.targets.unbind(), masks, strict=True)
        return [Batch(where, x, y, mask, weight, size) for where, x, y, mask in parts]
