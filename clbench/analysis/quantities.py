"""What a claim measures: the mean of a metric, the λ at which that mean is best, or the first beyond a bound.

All quantities of one claim are measured over the seeds that all of its sets of runs have, so that their
difference and ratio are paired. A mean has Student's t interval, a λ the ends of a confidence set
(`lambda_sets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from clbench.analysis.conditions import NotCheckable
from clbench.analysis.lambda_sets import Search
from clbench.analysis.ratios import ratio_interval
from clbench.analysis.statistics import LEVEL, t_interval

HALF = (1 + LEVEL) / 2
"""The level of each of two sets whose comparison shall have `LEVEL` (Bonferroni)."""


@dataclass(frozen=True)
class Estimate:
    """An interval, its point, and the value of every seed by itself.

    Args:
        label: of what.
        low, high: of the 95 % interval; NaN at one seed.
        point: over all seeds.
        by_seed: `[seeds]`.
    """

    label: str
    low: float
    high: float
    point: float
    by_seed: np.ndarray


@dataclass(frozen=True)
class Mean:
    """The mean of a metric over seeds.

    Args:
        label: which runs it is about.
        values: `[seeds]`, in the order of all quantities of the claim.
    """

    label: str
    values: np.ndarray

    @property
    def point(self) -> float:
        """The mean."""
        return float(self.values.mean())

    @property
    def by_seed(self) -> np.ndarray:
        """The values."""
        return self.values

    def alone(self) -> Estimate:
        """Return the mean with Student's t interval."""
        return _mean_of(self.label, self.values)

    def minus(self, other: Mean, factor: float = 1.0) -> Estimate:
        """Return the mean of the paired differences from `factor` · other."""
        return _mean_of(_difference(self.label, other.label, factor), self.values - factor * other.values)

    def over(self, other: Mean) -> Estimate | None:
        """Return the ratio of both means with Fieller's interval; None where it has none that is bounded."""
        ends = ratio_interval(self.values, other.values)
        if ends is None:
            return None
        label = f"{self.label} / {other.label}"
        return Estimate(label, *ends, self.point / other.point, ratios(self.values, other.values))


@dataclass(frozen=True)
class Lambda:
    """A λ of a grid that a claim looks for.

    Args:
        label: which runs it is about.
        lams: the grid `[λ]`, increasing.
        values: `[seeds, λ]`, as `search` wants them; NaN in the columns that are not finished.
        search: what is looked for.
        out: which λ can't be it, `[λ]`, though they are not finished.
    """

    label: str
    lams: np.ndarray
    values: np.ndarray
    search: Search
    out: np.ndarray

    @property
    def point(self) -> float:
        """The λ found on the mean over seeds, infinite where none is."""
        return float(self._at(self.search.place(self.values.mean(axis=0, keepdims=True)))[0])

    @property
    def by_seed(self) -> np.ndarray:
        """The λ found on each seed's own values."""
        return self._at(self.search.place(self.values))

    def ends(self, level: float) -> tuple[float, float]:
        """Return the smallest and the largest λ of the confidence set; NaN at one seed."""
        if len(self.values) < 2:
            return np.nan, np.nan
        found = self._at(self.search.stays(self.values, level) & ~np.append(self.out, False))
        return float(found.min()), float(found.max())

    def _at(self, places: np.ndarray) -> np.ndarray:
        return np.append(self.lams, np.inf)[places]

    def alone(self) -> Estimate:
        """Return the λ with the ends of its confidence set."""
        return Estimate(self.label, *self.ends(LEVEL), self.point, self.by_seed)

    def minus(self, other: Lambda, factor: float = 1.0) -> Estimate:
        """Return the difference from `factor` · other; each set is taken at 1 − (1 − level)/2."""
        (low, high), (least, most) = self._both_ends(other)
        with np.errstate(invalid="ignore"):  # a single seed may have no onset in either
            by_seed = self.by_seed - factor * other.by_seed
        label = _difference(self.label, other.label, factor)
        point = self.point - factor * other.point
        return Estimate(label, low - factor * most, high - factor * least, point, by_seed)

    def over(self, other: Lambda) -> Estimate | None:
        """Return the ratio, each set at 1 − (1 − level)/2; None where the other λ may be 0."""
        (low, high), (least, most) = self._both_ends(other)
        if not least > 0:
            return None
        label = f"{self.label} / {other.label}"
        return Estimate(
            label, low / most, high / least, self.point / other.point, ratios(self.by_seed, other.by_seed)
        )

    def _both_ends(self, other: Lambda) -> tuple[tuple[float, float], tuple[float, float]]:
        if not np.isfinite([self.point, other.point]).all():
            raise NotCheckable("an onset is not reached within the grid")
        return self.ends(HALF), other.ends(HALF)


class Quantity(Protocol):
    """What a claim measures of a set of runs: a `Mean` or a `Lambda`, compared with others of its kind."""

    @property
    def label(self) -> str:
        """Which runs it is about."""
        ...

    @property
    def point(self) -> float:
        """Its value over all seeds."""
        ...

    @property
    def by_seed(self) -> np.ndarray:
        """Its value on each seed alone."""
        ...

    def alone(self) -> Estimate:
        """Return it with its interval."""
        ...

    def minus(self, other: Self, factor: float = 1.0) -> Estimate:
        """Return its difference from `factor` · other, paired by seed."""
        ...

    def over(self, other: Self) -> Estimate | None:
        """Return its ratio to another; None where that has no bounded interval."""
        ...


def ratios(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the ratios of single seeds, which may hold a 0, or no onset."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(one / other)


def _mean_of(label: str, values: np.ndarray) -> Estimate:
    low, high = t_interval(values)
    return Estimate(label, float(low), float(high), float(values.mean()), values)


def _difference(one: str, other: str, factor: float) -> str:
    return f"{one} − {other}" if factor == 1 else f"{one} − {factor:g} · {other}"
