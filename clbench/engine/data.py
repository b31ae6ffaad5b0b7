"""The data of a program's lanes: pools on the device, addresses, masks of outputs, batch orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

from clbench.config import Evaluation, Training, fingerprint
from clbench.runs import Run
from clbench.streams.base import Stream, Task, generator
from clbench.streams.door import Door

BLOCK_ROWS = 256
"""Rows of one forward pass in an evaluation; fixed, since a product's bits may depend on its rows."""


@dataclass(frozen=True)
class Rows:
    """Samples of every lane, resolved to places in the concatenated pools.

    Args:
        address: `[…, lane, samples]`, `task · pool + sample`.
        inputs, targets: rows of `LaneData.inputs` and `LaneData.targets`, `[…, lane, samples]`.
        task: the task of every sample, `[…, lane, samples]`.
    """

    address: Tensor
    inputs: Tensor
    targets: Tensor
    task: Tensor


def build_streams(runs: Sequence[Run]) -> list[Stream]:
    """Return the stream of every run; runs of one source and seed get the same object.

    They are built by one thread: some functions share out even a few hundred numbers among all threads, which
    takes longer, much longer on a busy machine, and may round the numbers at the seams in another way.

    Raises:
        ConfigurationError: a stream breaks a promise of `Stream`.
    """
    built: dict[str, Stream] = {}
    door = Door()
    found = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for run in runs:
            key = fingerprint(run.stream, run.seed)
            if key not in built:
                built[key] = door.build(run.stream, run.seed)
            found.append(built[key])
    finally:
        torch.set_num_threads(threads)
    return found


class LaneData:
    """The streams of some lanes, each distinct tensor kept once on the device.

    Args:
        streams: one per lane; the same object for lanes that share a stream.
        seeds: one per lane.
        device: where the tensors go.
    """

    def __init__(self, streams: Sequence[Stream], seeds: Sequence[int], device: torch.device) -> None:
        first = streams[0]
        self.stream = first
        self.seeds = tuple(seeds)
        self.device = device
        self.pool = first.inputs.shape[0]
        self.tasks = len(first.tasks)
        distinct = list({id(stream): stream for stream in streams}.values())
        place = {id(stream): index for index, stream in enumerate(distinct)}
        self.distinct = distinct
        self.stream_of_lane = torch.tensor([place[id(stream)] for stream in streams], device=device)
        self.inputs, input_offset = _concatenate([stream.inputs for stream in distinct], device)
        self.targets, target_offset = _concatenate([stream.targets for stream in distinct], device)
        self.input_offset = input_offset[self.stream_of_lane][:, None]
        self.target_offset = target_offset[self.stream_of_lane][:, None]
        self.permutations = _permutations(distinct, device)
        starts = [task.outputs[0] if first.offset_targets else 0 for task in first.tasks]
        self.target_starts = torch.tensor(starts, device=device) if any(starts) else None

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return len(self.seeds)

    def addresses(self, task: int, split: str) -> Tensor:
        """Return the addresses of a split of a task, `[lane, samples]`."""
        indices = torch.stack([stream.tasks[task].split(split) for stream in self.distinct])
        return (indices.to(self.device) + task * self.pool)[self.stream_of_lane]

    def resolve(self, address: Tensor) -> Rows:
        """Return where the samples of addresses `[…, lane, samples]` lie."""
        task = torch.div(address, self.pool, rounding_mode="floor")
        sample = address - task * self.pool
        return Rows(address, sample + self.input_offset, sample + self.target_offset, task)

    def gather_inputs(self, rows: Tensor, task: Tensor) -> Tensor:
        """Return inputs `[…, lane, samples, *features]` of resolved rows, as their tasks see them."""
        shape = (*rows.shape, *self.inputs.shape[1:])
        picked = self.inputs.index_select(0, rows.reshape(-1))
        if self.permutations is None:
            return picked.view(shape)
        order = self.permutations[self.stream_of_lane[:, None], task]
        return picked.view(*rows.shape, -1).gather(-1, order).view(shape)

    def gather_targets(self, rows: Tensor, task: Tensor) -> Tensor:
        """Return targets `[…, lane, samples]` or `[…, lane, samples, outputs]` of resolved rows."""
        found = self.targets.index_select(0, rows.reshape(-1)).view(*rows.shape, *self.targets.shape[1:])
        return found if self.target_starts is None else found + self.target_starts[task]

    def masks(self, stage: int, outputs: str, training: bool) -> Tensor | None:
        """Return what is added to the logits of each task's samples, 0 or −inf, `[task, outputs]`.

        Task-incremental: a sample's own outputs compete. Class-incremental, by `outputs`: `seen`: those of
        the tasks up to `stage`; `task`: a sample's own; else all, for which None stands.

        Args:
            stage: the last stage whose task is seen.
            outputs: `Training.outputs` or `Evaluation.outputs`.
            training: whether early classes of blurred tasks count as seen.
        """
        ranges = [task.outputs for task in self.stream.tasks]
        choice = {"task": "task", "class": outputs}.get(self.stream.scenario, "all")
        if choice == "all":
            return None
        if choice == "task":
            allowed = ranges
        else:
            seen = self.stream.tasks[: stage + 1]
            stop = max(trained_outputs(task)[1] if training else task.outputs[1] for task in seen)
            # A sample of a task not yet seen keeps its own outputs, or its loss would be infinite.
            allowed = [(0, stop if training else max(stop, high)) for _, high in ranges]
        mask = torch.full((len(ranges), self.stream.outputs), float("-inf"), device=self.device)
        for row, (low, high) in zip(mask, allowed, strict=True):
            row[low:high] = 0.0
        return None if bool((mask == 0).all()) else mask


def trained_outputs(task: Task) -> tuple[int, int]:
    """Return the range of outputs that a task's training samples may have."""
    return (task.outputs[0], task.outputs[1] if task.classes_until is None else task.classes_until)


def batch_positions(seed: int, key: object, samples: int, bounds: Sequence[tuple[int, int, int]]) -> Tensor:
    """Return the positions in a stage's data that its steps use, one after the other, int64.

    Pass p is the p-th permutation drawn from the seed and the key, whatever the strategy.

    Args:
        seed: the run's seed.
        key: names the data (its tasks).
        samples: how many the stage's data has.
        bounds: of every step, see `step_bounds`.
    """
    random = generator(seed, "order", key)
    orders = [torch.randperm(samples, generator=random) for _ in range(bounds[-1][0] + 1)]
    # The steps of one pass follow each other without a gap.
    passes = [list(steps) for _, steps in groupby(bounds, key=itemgetter(0))]
    return torch.cat([orders[steps[0][0]][steps[0][1] : steps[-1][2]] for steps in passes])


def step_bounds(samples: int, training: Training, steps: int, first: int) -> list[tuple[int, int, int]]:
    """Return `(pass, start, stop)` of steps `first` … `first + steps − 1` through the data."""
    batch = min(training.batch_size, samples)
    count = steps_of_pass(samples, training)
    places = (divmod(step, count) for step in range(first, first + steps))
    return [(turn, place * batch, min((place + 1) * batch, samples)) for turn, place in places]


def steps_of_pass(samples: int, training: Training) -> int:
    """Return the batches of a pass. Data smaller than a batch, as a memory may be, are one batch."""
    whole, rest = divmod(samples, min(training.batch_size, samples))
    return whole + (rest > 0 and training.last_batch == "keep")


def steps_of(samples: int, training: Training) -> int:
    """Return the gradient steps of a stage whose length is set by that many samples."""
    if training.steps is not None:
        return training.steps
    assert training.epochs is not None
    return training.epochs * steps_of_pass(samples, training)


def evaluation_subset(seed: int, indices: Tensor, evaluation: Evaluation, *purpose: object) -> Tensor:
    """Return the fixed subset of a split that is evaluated inside stages, the same for all runs of a seed."""
    if evaluation.subset is None or len(indices) <= evaluation.subset:
        return indices
    order = torch.randperm(len(indices), generator=generator(seed, "evaluation", *purpose))
    return indices[order[: evaluation.subset].sort().values]


def _concatenate(tensors: list[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    distinct = list({id(tensor): tensor for tensor in tensors}.values())
    starts, start = {}, 0
    for tensor in distinct:
        starts[id(tensor)] = start
        start += tensor.shape[0]
    joined = distinct[0] if len(distinct) == 1 else torch.cat(distinct)
    return joined.to(device), torch.tensor([starts[id(tensor)] for tensor in tensors], device=device)


def _permutations(streams: list[Stream], device: torch.device) -> Tensor | None:
    if all(task.permutation is None for stream in streams for task in stream.tasks):
        return None
    features = streams[0].inputs[0].numel()
    plain = torch.arange(features)
    return torch.stack(
        [
            torch.stack([plain if task.permutation is None else task.permutation for task in stream.tasks])
            for stream in streams
        ]
    ).to(device)
