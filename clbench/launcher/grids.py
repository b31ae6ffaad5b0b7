"""A study's sweep: the union of its grids, which the command line narrows or widens.

A grid maps override keys to lists of values (texts as on the command line); its jobs are their product.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

Grid = dict[str, list[str]]


def expand(grids: Sequence[Grid], given: Grid, is_group: Callable[[str], bool]) -> list[list[str]]:
    """Return the overrides of every job, without doubles, in the order of the grids.

    - Without grids: the product of what is given.
    - Given values keep the grids that have them: `strategy=l2`, or `stream.scenario=domain` where every
      scenario has a λ of its own.
    - Where none of the grids that choose a part has the given values together, all of these grids take them
      (`strategy.lam=7`). A choice that no grid has is added, with the axes that all grids agree on
      (`strategy=ewc` gets the study's seeds).
    - A field of a part, named by some grids (`strategy.lam`), leaves the grids alone which choose that part
      and don't name it.
    - All else is set in every grid.

    Args:
        grids: the study's; may be empty.
        given: the command line's keys and values, in order.
        is_group: whether a key chooses from a group of configurations.
    """
    if not grids:
        return _unique(_product(given))
    # Numbers that all grids agree on need no choice between them: they take the given values as they are.
    choosing = [
        key
        for key in given
        if (is_group(key) and any(key in grid for grid in grids))
        or any(grid.get(key) != grids[0].get(key) for grid in grids)
    ]
    families: dict[str, list[int]] = {}
    for number, grid in enumerate(grids):
        choices = sorted((key, values) for key, values in grid.items() if is_group(key))
        families.setdefault(str(choices), []).append(number)
    chosen: list[list[Grid]] = [[] for _ in range(len(grids) + 1)]
    for values in itertools.product(*(given[key] for key in choosing)):
        asked = dict(zip(choosing, values, strict=True))
        picks = {key: value for key, value in asked.items() if is_group(key)}
        line = given | {key: [value] for key, value in asked.items()}
        takers = _takers(grids, families.values(), picks, asked)
        for number in takers:
            chosen[number].append(_set(grids[number], grids, line))
        if not takers:
            chosen[-1].append(_added(picks, grids, line))
    return _unique(itertools.chain.from_iterable(map(_product, itertools.chain.from_iterable(chosen))))


def _takers(
    grids: Sequence[Grid], families: Iterable[list[int]], picks: Mapping[str, str], asked: Mapping[str, str]
) -> list[int]:
    """Return the numbers of the grids that take some values; none where no grid has the choices.

    Args:
        grids: the study's.
        families: numbers of the grids that choose the same parts.
        picks: those of the values that are choices from groups.
        asked: the values.
    """
    found = []
    for members in families:
        if _has(grids[members[0]], picks):
            found += [number for number in members if _has(grids[number], asked)] or members
    return found


def _has(grid: Grid, asked: Mapping[str, str]) -> bool:
    """Return whether a grid has these values, of the keys that it names."""
    return all(value in grid.get(key, [value]) for key, value in asked.items())


def _set(grid: Grid, grids: Sequence[Grid], given: Grid) -> Grid:
    """Return a grid with the given values, where they apply to it."""
    others = {key: values for key, values in given.items() if _applies(key, grid, grids)}
    return others | {key: given.get(key, values) for key, values in grid.items()}


def _applies(key: str, grid: Grid, grids: Sequence[Grid]) -> bool:
    """Return whether a given key that a grid doesn't name is set in it."""
    if key in grid:
        return False
    part = key.lstrip("+").partition(".")[0]
    conditional = part != key and part in grid and any(key in other for other in grids)
    return not conditional


def _added(picks: Mapping[str, str], grids: Sequence[Grid], given: Grid) -> Grid:
    """Return the grid of choices from groups that no grid has together."""
    first, *others = grids
    shared = {
        name: values
        for name, values in first.items()
        if name.partition(".")[0] not in picks and all(grid.get(name) == values for grid in others)
    }
    ahead = {name: values for name, values in given.items() if name not in shared}
    return ahead | {name: given.get(name, values) for name, values in shared.items()}


def _product(axes: Mapping[str, Sequence[str]]) -> Iterable[list[str]]:
    lines = ([f"{key}={value}" for value in values] for key, values in axes.items())
    return (list(job) for job in itertools.product(*lines))


def _unique(jobs: Iterable[list[str]]) -> list[list[str]]:
    return list({frozenset(job): job for job in reversed(list(jobs))}.values())[::-1]
