"""The rows of addresses that kernels read of a program and its lanes; see `clbench.kernels.tables`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from clbench.engine.lanes_context import LanesContext
from clbench.importance import StepSum
from clbench.kernels import losses
from clbench.kernels.pulls import CODES as DISTANCES
from clbench.kernels.tables import LANE, PROGRAM, Lane, Program
from clbench.kernels.update import update_lanes
from clbench.optimizers import Optimizer, SeparateHeads
from clbench.penalty import Pull

SUMS = {
    ("path", False): Lane.PATH,
    ("path", True): Lane.TOTAL_PATH,
    ("square", False): Lane.SQUARES,
    ("first_square", False): Lane.FIRST_SQUARES,
}
"""Where a sum stands, by its kind and whether it is over what the optimiser is given."""


class Rows:
    """The rows of a program, and the memory that they name, which stays as long as they do.

    Args:
        lanes: how many.
    """

    def __init__(self, lanes: int) -> None:
        self.program = np.zeros(PROGRAM, np.int64)
        self.lanes = np.zeros((lanes, LANE), np.int64)
        self.held: list[object] = []

    def set(self, place: Program, value: int | np.ndarray | Tensor) -> None:
        """Set what holds for all lanes: a number, or the address of memory."""
        self.program[place] = value if isinstance(value, int) else self.address(value)

    def set_lanes(self, place: Lane, values: Tensor) -> None:
        """Set the addresses of `[lane, …]`; a lane's entries lie together."""
        self.held.append(values)
        self.lanes[:, place] = addresses_of(values)

    def address(self, memory: np.ndarray | Tensor) -> int:
        """Return where memory begins, and hold it."""
        self.held.append(memory)
        return memory.data_ptr() if isinstance(memory, Tensor) else memory.ctypes.data


def set_parameters(rows: Rows, context: LanesContext) -> None:
    """Set θ and what belongs to it."""
    rows.set(Program.PADDED, context.theta.shape[1])
    rows.set_lanes(Lane.THETA, context.theta)
    rows.set_lanes(Lane.GRADIENT, context.task_gradient)
    rows.set_lanes(Lane.TOTAL, context.total_gradient)
    if context.before is not None:
        rows.set_lanes(Lane.PREVIOUS, context.before)


class Counts:
    """The steps that optimisers count, `[lane, count]`, beside the state's own tensors.

    Args:
        rows: get the optimiser, its moments and counts.
        optimizers: of every lane, of one structure and with kernels.
        state: theirs.
        padded: floats of a lane.
    """

    def __init__(
        self,
        rows: Rows,
        optimizers: Sequence[Optimizer | SeparateHeads],
        state: dict[str, Tensor],
        padded: int,
    ) -> None:
        recipes = [plain(optimizer).kernel() for optimizer in optimizers]
        first = recipes[0]
        assert first is not None
        ranges = optimizers[0].ranges(padded)
        keys = list(dict.fromkeys(part.count for part in ranges))
        self.counted = [state[key] for key in keys if key in state]
        self.values = np.zeros((len(optimizers), len(keys)), np.float32)
        rows.set(Program.OPTIMIZER, first.code)
        table = [(part.start, part.stop, keys.index(part.count)) for part in ranges]
        rows.set(Program.RANGES, np.array(table, np.int64).reshape(-1, 3))
        rows.set(Program.RANGE_COUNT, len(table))
        numbers = np.array([recipe.numbers for recipe in recipes if recipe is not None], np.float64)
        rows.set_lanes(Lane.NUMBERS, torch.from_numpy(numbers))
        for place, key in zip((Lane.FIRST, Lane.SECOND), first.moments, strict=False):
            rows.set_lanes(place, state[key])
        if self.counted:
            rows.set_lanes(Lane.COUNTS, torch.from_numpy(self.values))
            self.values[:] = torch.stack(self.counted, 1).numpy()

    def add(self, steps: int) -> None:
        """Count steps that were taken."""
        self.values += steps
        for count in self.counted:
            count.add_(steps)


class KernelUpdate:
    """The optimiser's step of all lanes by kernels, given what is in `context.total_gradient`."""

    def __init__(self, context: LanesContext) -> None:
        self.rows = Rows(context.lanes)
        self.rows.set(Program.PADDED, context.theta.shape[1])
        self.rows.set_lanes(Lane.THETA, context.theta)
        self.rows.set_lanes(Lane.GRADIENT, context.total_gradient)
        self.counts = Counts(self.rows, context.program.optimizers, context.optimizer, context.theta.shape[1])

    def __call__(self) -> None:
        """Take the step, in place."""
        rows = self.rows
        update_lanes.python(rows.program.ctypes.data, rows.lanes.ctypes.data, len(rows.lanes))
        self.counts.add(1)


def plain(optimizer: Optimizer | SeparateHeads) -> Optimizer:
    """Return what takes the steps."""
    return optimizer.optimizer if isinstance(optimizer, SeparateHeads) else optimizer


def set_rates(rows: Rows, rates: Tensor | None) -> None:
    """Set the factors on the parameters' steps."""
    if rates is not None:
        rows.set(Program.RATES, rates.contiguous())


def set_pulls(rows: Rows, context: LanesContext, pulls: Sequence[Pull], rate: Tensor, team: int) -> None:
    """Set the terms of pulls.

    Args:
        rows: get them.
        context: the lanes.
        pulls: theirs.
        rate: of decoupled pulls, `[lane, 1 or padded]`.
        team: threads of a lane.
    """
    terms, addresses = [], []
    for pull in pulls:
        anchors = pull.anchor if pull.anchor.dim() == 3 else pull.anchor[:, None]
        weights = pull.weight if pull.weight.dim() == 3 else pull.weight[:, None]
        stride = int(weights.shape[2] > 1)
        size = (context.lanes, anchors.shape[1])
        anchors = anchors.expand(*size, -1).contiguous()
        weights = weights.expand(*size, -1).contiguous()
        for term in range(size[1]):
            terms.append((DISTANCES[pull.distance], int(pull.decoupled), stride))
            addresses.append([addresses_of(each[:, term]) for each in (anchors, weights)])
        rows.held += [anchors, weights]
    if not terms:
        return
    blocks = np.array([(place.start, place.stop) for place in context.layout.slices().values()], np.int64)
    rows.set(Program.TENSORS, blocks)
    rows.set(Program.TENSOR_COUNT, len(blocks))
    rows.set(Program.TERMS, np.array(terms, np.int64))
    rows.set(Program.TERM_COUNT, len(terms))
    rows.set(Program.DECOUPLED, int(any(decoupled for _, decoupled, _ in terms)))
    rows.set(Program.SCALES, np.zeros((team, len(terms), len(blocks)), np.float32))
    table = np.ascontiguousarray(np.array(addresses, np.int64).transpose(2, 0, 1))  # [lane, term, 2]
    rows.set_lanes(Lane.PULLS, torch.from_numpy(table))
    rates = rate.expand(context.lanes, -1).contiguous()
    rows.set(Program.DECAY_STRIDE, int(rates.shape[1] > 1))
    rows.set_lanes(Lane.DECAYS, rates)


def addresses_of(values: Tensor) -> np.ndarray:
    """Return where the lanes of `[lane, …]` begin."""
    return values.data_ptr() + np.arange(len(values)) * values.stride(0) * values.element_size()


def set_sums(rows: Rows, sums: Sequence[StepSum]) -> None:
    """Set where sums over steps stand."""
    for each in sums:
        rows.set_lanes(SUMS[each.kind, each.total], each.into)


def set_data(rows: Rows, context: LanesContext) -> None:
    """Set the streams' samples, and which outputs compete."""
    data, stream = context.data, context.program.stream
    features = stream.inputs[0].numel()
    rows.set(Program.FEATURES, features)
    rows.set(Program.POOL, data.pool)
    rows.set(Program.LOSS, losses.CODES[context.loss])
    starts = data.target_starts
    rows.set(Program.STARTS, torch.zeros(data.tasks, dtype=torch.int64) if starts is None else starts)
    if context.program.masks is not None:
        rows.set(Program.MASKS, context.program.masks)
    inputs, targets = data.inputs.contiguous(), data.targets.contiguous()
    rows.lanes[:, Lane.INPUTS] = rows.address(inputs) + data.input_offset[:, 0].numpy() * features * 4
    row = targets[0].numel() * targets.element_size()
    rows.lanes[:, Lane.TARGETS] = rows.address(targets) + data.target_offset[:, 0].numpy() * row
    if data.permutations is not None:
        orders = data.permutations.contiguous()
        step = orders[0].numel() * 8
        rows.lanes[:, Lane.ORDERS] = rows.address(orders) + data.stream_of_lane.numpy() * step
