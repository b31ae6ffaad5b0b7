"""Confidence sets for a λ of a grid: the one with the best mean, or the first whose mean is beyond a bound.

Such a λ is no mean and has no t interval. But each λ of the grid is a hypothesis, «it is this one», that
tests of means can reject; the set of those that are not rejected holds the right one with probability
`level` at least, for normal values at every n ≥ 2, whatever the correlation between the λ of one seed
(Bonferroni asks for none).

Values are `[seeds, λ]`, paired by seed, in order of λ. A column of NaN (a λ that some seed has not finished)
is tested by nothing: it rejects no other λ, and its own values can't reject it. What is found has a place
more than the grid has λ: the last one stands for none of them.

Source: sets by inversion of tests, Neyman 1937; of the best one, Hsu 1981 and 1996 (multiple comparisons
with the best), whose quantile is for independent groups; here pairs by seed, and Bonferroni in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clbench.analysis.statistics import LEVEL, t_interval


def best_place(values: np.ndarray) -> np.ndarray:
    """Return the place of the highest value of every curve, `[curves]`, of `[curves, λ]`."""
    return np.asarray(np.nanargmax(values, axis=1))


def best_set(values: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Return which λ may have the highest mean, `[λ + 1]`.

    With μ_j the mean at λ_j and K finished λ, λ_j is out if for some i the paired one-sided t test at level
    (1 − level)/(K − 1) rejects μ_i ≤ μ_j. At the best λ all of these K − 1 hypotheses are true, so one of
    them is rejected with probability at most 1 − level.

    Args:
        values: `[seeds, λ]`, higher is better; NaN in the columns that are not finished.
        level: of the set.
    """
    finished = int(np.isfinite(values).all(axis=0).sum())
    gaps = values.T[:, None] - values.T[None, :]  # [i, j, seeds]: by how much λ_i is better than λ_j
    low, _ = t_interval(gaps, _two_sided(level, finished - 1))
    return np.append(~(low > 0).any(axis=0), False)


def onset_place(excess: np.ndarray) -> np.ndarray:
    """Return the place of the first value beyond the bound of every curve, `[curves]`, of `[curves, λ]`."""
    beyond = excess > 0
    return np.where(beyond.any(axis=1), beyond.argmax(axis=1), excess.shape[1])


def onset_set(excess: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Return which λ may be the first whose mean is beyond a bound, `[λ + 1]`.

    «λ_j is the first» says that μ_j is beyond, and μ_i is not for every i < j: j hypotheses (counted from
    1), each tested by a one-sided t test at level (1 − level)/j. If they are true, one of them is rejected
    with probability at most 1 − level. «None» says that no μ_i is.

    Args:
        excess: by how much values are beyond the bound, `[seeds, λ]`; NaN in columns that are not finished.
        level: of the set.
    """
    count = excess.shape[1]
    stays = np.ones(count + 1, dtype=bool)
    for place in range(count + 1):
        low, high = t_interval(excess.T[: place + 1], _two_sided(level, min(place + 1, count)))
        is_sooner = (low[:place] > 0).any()
        is_short = place < count and high[place] <= 0
        stays[place] = not (is_sooner or is_short)
    return stays


@dataclass(frozen=True)
class Search:
    """How a λ is looked for: its place on curves, and the places that may be it at a level."""

    place: Callable[[np.ndarray], np.ndarray]
    stays: Callable[[np.ndarray, float], np.ndarray]


BEST, ONSET = Search(best_place, best_set), Search(onset_place, onset_set)


def _two_sided(level: float, tests: int) -> float:
    """Return the level of the interval whose either end is a one-sided test at (1 − level)/tests."""
    return 1 - 2 * (1 - level) / max(tests, 1)
