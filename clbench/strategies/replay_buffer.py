"""The replay buffer: addresses of samples as int64 tensors `[lane, places]`, −1 where a place is empty.

What is kept and what is drawn belongs to the lane's seed, the stage and the step, never to its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.strategies.acts import Acts
from clbench.strategies.balance import balance
from clbench.streams.base import Stream, generator

POLICIES = ("reservoir", "ring", "balanced")
BLOCK_STEPS = 64
"""Steps whose random numbers are drawn together."""
FETCHED = 1024
"""Samples whose labels are fetched at once."""


@dataclass(frozen=True)
class ReplayBuffer:
    """Samples of past tasks, to which a task's training samples are offered when it ends, each once.

    In a strategy's state it has `buffer` `[lane, places]` and `seen` `[lane, classes]`, the samples offered.

    Args:
        size: samples kept in all.
        policy: `reservoir`, `ring` or `balanced`, see `keep`.
    """

    size: int
    policy: str = "reservoir"

    def filling(self) -> Acts:
        """Return what fills it at the ends of stages, by fields `buffer_size` and `policy` of a strategy."""
        return Acts(consolidate=self.offer, kept_by=("buffer_size", "policy")) if self.size else Acts()

    def empty(self, context: Context) -> State:
        """Return the state before any task has ended."""
        return empty(context, self.size, context.outputs)

    def offer(self, context: Context, state: State) -> State:
        """Return the state after the ended task's samples were offered."""
        buffer, seen = keep(self.policy, context, state["buffer"], state["seen"])
        return {"buffer": buffer, "seen": seen}

    def draw(self, context: Context, state: State, count: int) -> Tensor:
        """Return this step's addresses `[lane, count]`, drawn as `draws` does."""
        step = context.stage_step - 1
        return draws(context, state["buffer"], count, range(step, step + 1))[0]

    def fit_problems(self, stream: Stream) -> list[str]:
        """Return a line where the ring has too few places."""
        return part_problems(self.size, stream) if self.policy == "ring" else []


def part_problems(size: int, stream: Stream, parts: int = 1) -> list[str]:
    """Return a line where a buffer shared by the tasks would have no place for each, or each one's parts."""
    needed = parts * len(stream.tasks)
    if size == 0 or size >= needed:
        return []
    places = "a place for each" if parts == 1 else f"{parts} places (strategy.parts) for each"
    return [
        f"A memory shared by the tasks needs {places} of {len(stream.tasks)}; "
        f"got strategy.buffer_size={size}. Use at least {needed}, or 0 for no replay."
    ]


def uniforms(context: Context, purpose: str, columns: int, steps: range) -> Tensor:
    """Return uniform numbers in [0, 1) of some steps of the stage, counted from 0, `[steps, lane, columns]`.

    A step's depend on seed, purpose, stage, step and the number of columns only; a block of steps is drawn at
    once.
    """
    found = []
    for block in range(steps.start // BLOCK_STEPS, (steps.stop - 1) // BLOCK_STEPS + 1):
        held, numbers = context.scratch.get(("uniform", purpose, columns), (None, None))
        if held != block:
            words = (purpose, columns, context.stage, block)
            drawn = [
                torch.rand(BLOCK_STEPS, columns, generator=generator(seed, *words)) for seed in context.seeds
            ]
            numbers = torch.stack(drawn, 1).to(context.device)
            context.scratch["uniform", purpose, columns] = (block, numbers)
        begin = block * BLOCK_STEPS
        found.append(numbers[max(steps.start - begin, 0) : steps.stop - begin])
    return torch.cat(found)


def draws(context: Context, buffer: Tensor, count: int, steps: range) -> Tensor:
    """Return addresses `[steps, lane, count]` from the filled places, uniform and with replacement."""
    key = ("filled", id(buffer))
    if key not in context.scratch:
        filled = buffer >= 0
        order = (~filled).to(torch.int8).argsort(dim=1, stable=True)
        context.scratch[key] = (buffer.gather(1, order), filled.sum(1, keepdim=True))
    packed, filled = context.scratch[key]
    places = filled_places(uniforms(context, "memory/draw", count, steps), filled)
    return packed.expand(len(steps), -1, -1).gather(2, places)


def filled_places(numbers: Tensor, filled: Tensor) -> Tensor:
    """Return places in 0 … filled − 1 by uniform numbers `[…, lane, count]`; filled is `[…, lane, 1]`."""
    return torch.minimum((numbers * filled).long(), filled - 1)


def keep(policy: str, context: Context, memory: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return memory and counts after the training data of the ended task was offered, each sample once.

    reservoir: every sample seen so far is kept with equal probability (Vitter 1985, algorithm R).
    ring: equal places for every task of the stream, and within them for its classes, the last offered are
    kept (Chaudhry et al. 2019). balanced: equal places for every class seen so far, each with a uniform draw
    from all tasks' samples of it; classes with too few leave their places to the others, see `balance`.
    Which classes have the odd places is drawn by the seed.

    Args:
        policy: see above.
        context: its `stage` names the ended task.
        memory: `[lane, places]`; not changed.
        seen: samples of every class offered before, `[lane, classes]`; a reservoir takes all for class 0.
    """
    address = context.train_addresses(context.stage).cpu()
    kept = memory.cpu().clone()
    counted = seen.cpu().clone()
    labels = torch.zeros_like(address) if policy == "reservoir" else labels_of(context, address)
    old = labels_of(context, kept.clamp(min=0) if policy == "balanced" else kept[:, :0])
    for lane, random in enumerate(context.random("memory/keep")):
        order = torch.randperm(address.shape[1], generator=random)
        offered, classes = address[lane, order].numpy(), labels[lane, order].numpy()
        places, counts = kept[lane].numpy(), counted[lane].numpy()
        if policy == "reservoir":
            _reservoir(places, int(counts[0]), offered, random)
        elif policy == "ring":
            _ring(places, offered, classes, context.stage, context.tasks, random)
        else:
            filled = places >= 0
            held = (places[filled], old[lane].numpy()[filled])
            first = torch.randperm(len(counts), generator=generator(context.seeds[lane], "memory/odd"))
            found = balance(held, (offered, classes), counts, len(places), first.numpy(), random)
            places[: len(found)] = found
        counts += np.bincount(classes, minlength=len(counts))
    return kept.to(memory.device), counted.to(seen.device)


def empty(context: Context, places: int, classes: int = 1) -> State:
    """Return the state of a memory before any task has ended, with a count for each of so many classes."""
    return {
        "buffer": torch.full((context.lanes, places), -1, dtype=torch.int64, device=context.device),
        "seen": torch.zeros(context.lanes, classes, dtype=torch.int64, device=context.device),
    }


def reservoir_slots(places: int, seen: Tensor, numbers: Tensor) -> Tensor:
    """Return the place `[…, lane, batch]` that each offered sample takes; `places` itself: it is not kept.

    Args:
        places: size of the memory.
        seen: samples offered before, `[…, lane, 1]`.
        numbers: uniform in [0, 1), `[…, lane, batch]`.

    Of two samples for one place the later wins, as if they had been offered one after the other.
    """
    number = seen + torch.arange(numbers.shape[-1], device=numbers.device)
    slots = torch.where(number < places, number, (numbers.double() * (number + 1)).long())
    slots = slots.clamp(max=places)
    later = (slots[..., :, None] == slots[..., None, :]).triu(1).any(-1)
    return torch.where(later, places, slots)


def labels_of(context: Context, address: Tensor) -> Tensor:
    """Return the class of every address `[lane, samples]`, on the CPU; 0 for all in regression."""
    if not address.shape[1]:
        return address
    found = []
    for part in address.split(FETCHED, 1):
        targets = context.fetch(part.to(context.device).contiguous()).targets
        found.append(torch.zeros_like(part) if targets.is_floating_point() else targets.cpu())
    return torch.cat(found, 1)


def _reservoir(places: np.ndarray, seen: int, offered: np.ndarray, random: torch.Generator) -> None:
    numbers = torch.rand(len(offered), generator=random, dtype=torch.float64).numpy()
    count = np.arange(seen, seen + len(offered))
    slots = np.where(count < len(places), count, (numbers * (count + 1)).astype(np.int64))
    held = slots < len(places)
    places[slots[held]] = offered[held]  # of equal slots the last one wins


def _ring(
    places: np.ndarray,
    offered: np.ndarray,
    labels: np.ndarray,
    stage: int,
    tasks: int,
    random: torch.Generator,
) -> None:
    size = len(places) // tasks
    own = places[stage * size : (stage + 1) * size]
    classes, counts = np.unique(labels, return_counts=True)
    room = np.full(len(classes), size // len(classes))
    room[torch.randperm(len(classes), generator=random)[: size % len(classes)].numpy()] += 1
    start = 0
    for label, count, places_left in zip(classes, counts, room, strict=True):
        last = offered[labels == label][max(count - places_left, 0) :]
        own[start : start + len(last)] = last
        start += len(last)
