"""A memory with equal places for all classes, each with a uniform draw from all that was offered of it."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import torch


def balance(
    held: tuple[np.ndarray, np.ndarray],
    offered: tuple[np.ndarray, np.ndarray],
    seen: np.ndarray,
    places: int,
    order: np.ndarray,
    random: torch.Generator,
) -> np.ndarray:
    """Return what a memory holds after more samples were offered to it, at most `places` of them.

    A class that is new takes places from the largest ones, as in the paper's sampler. Within a class that
    sampler keeps the first ones offered and would never take a later task's samples of the same classes;
    here every sample of a class offered so far is held with equal probability.

    Args:
        held: samples and their classes before.
        offered: new samples and their classes, in random order.
        seen: of every class, how many samples were offered before.
        places: size of the memory.
        order: all classes, those first that get the odd places.
        random: names the draw.

    Source: Prabhu, Torr & Dokania 2020, algorithm 1; a reservoir a class: Chrysakis & Moens 2020.
    """
    before, fresh = (np.bincount(classes, minlength=len(seen)) for _, classes in (held, offered))
    newest = (seen == 0) & (fresh > 0)
    room = share_places(places, before + fresh, order, newest)
    kept = [np.empty(0, dtype=np.int64)]
    for label in np.flatnonzero(room):
        old, new = (samples[classes == label] for samples, classes in (held, offered))
        tickets = torch.randperm(int(seen[label]) + len(new), generator=random)[: room[label]]
        count = max(int((tickets < len(new)).sum()), int(room[label]) - len(old))
        stay = torch.randperm(len(old), generator=random)[: room[label] - count].numpy()
        kept += [old[stay], new[:count]]
    return np.concatenate(kept)


def share_places(places: int, available: np.ndarray, order: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """Return how many places every class gets: equal parts, and what a class can't fill goes to the others.

    Args:
        places: to be shared.
        available: samples of every class.
        order: all classes, those first that get the odd places.
        newest: which classes are new; where there are fewer places than classes these come first.
    """
    counts = range(int(available.max()) + 1)
    level = bisect_right(counts, places, key=lambda count: np.minimum(available, count).sum()) - 1
    room = np.minimum(available, level)
    waiting = order[available[order] > room[order]]
    if level == 0:  # not one place each
        waiting = np.concatenate([waiting[newest[waiting]], waiting[~newest[waiting]]])
    room[waiting[: places - room.sum()]] += 1
    return room
