"""The forms of a claim: what each compares, and on which side of what was asked it came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from clbench.analysis.conditions import NotCheckable
from clbench.analysis.quantities import Estimate, Quantity, ratios
from clbench.analysis.tables import short

Q = TypeVar("Q", bound=Quantity)

HOLDS, CONTRADICTED, UNDECIDED = "holds", "contradicted", "undecided"


@dataclass(frozen=True)
class Judgement:
    """What a claim came to.

    Args:
        side: where the interval lies: all of it where it was asked (`holds`), all of it elsewhere
            (`contradicted`), or neither (`undecided`), as at one seed, which has no interval.
        low, high, point: of what was measured: a ratio, a difference, or a quantity itself.
        n: seeds.
        seeds_holding: for how many seeds the order holds by itself.
        subject: what was measured.
        asked: what it should be.
    """

    side: str
    low: float
    high: float
    point: float
    n: int
    seeds_holding: int
    subject: str
    asked: str

    def text(self) -> str:
        """Return it in a line: point first, interval second, n always."""
        estimate = f"{short(self.point)} {_interval(self)}"
        if self.n < 2:
            estimate = f"{short(self.point)} without an interval"
        seeds = f"n = {self.n}, holds for {self.seeds_holding} of {self.n} seeds"
        return f"{self.subject}: {estimate}, asked: {self.asked}; {seeds}"


def judge(claim: Mapping[str, Any], quantities: Sequence[Q]) -> Judgement:
    """Return what a claim of the right form comes to, given its quantities.

    Raises:
        NotCheckable: a ratio of what is not positive, or an onset that is not reached.
    """
    if "greater" in claim:
        return _greater(claim, *quantities)
    if "equal" in claim:
        return _equal(claim, *quantities)
    if "between" in claim:
        return _between(claim, *quantities)
    found = quantities[0].alone()
    low, high = -np.inf, np.inf
    if "within" in claim:
        low, high = (float(bound) for bound in claim["within"])
        asked = f"from {low:g} to {high:g}"
    elif "at_least" in claim:
        low = float(claim["at_least"])
        asked = f"at least {low:g}"
    else:
        high = float(claim["at_most"])
        asked = f"at most {high:g}"
    return _judge(found, Bounds(low, high), f"{_subject(claim)} of {found.label}", asked)


@dataclass(frozen=True)
class Bounds:
    """Where an interval must lie: at least `low` (above it, if `strict`) and at most `high`."""

    low: float
    high: float = np.inf
    strict: bool = False

    def hold(self, values: np.ndarray) -> np.ndarray:
        """Return which values lie inside; a bound that belongs to it is met up to rounding."""
        above = (values > self.low) if self.strict else (values >= self.low) | _is_near(values, self.low)
        return above & ((values <= self.high) | _is_near(values, self.high))

    def side(self, low: float, high: float) -> str:
        """Return where an interval lies, `holds`, `contradicted` or `undecided`; so without one (NaN)."""
        inside = self.hold(np.array([low, high]))
        if inside.all():
            return HOLDS
        is_short = high < self.low or (self.strict and high <= self.low)
        is_outside = (is_short or low > self.high) and not inside.any()
        return CONTRADICTED if is_outside else UNDECIDED


def _is_near(values: np.ndarray, bound: float) -> np.ndarray:
    return np.isclose(values, bound, rtol=1e-9, atol=1e-12) if np.isfinite(bound) else values == bound


def _greater(claim: Mapping[str, Any], one: Q, other: Q) -> Judgement:
    """Return whether one is above another by a difference, or a multiple of it.

    A multiple is judged by the paired difference one − factor · other, and reported as the ratio with the
    interval that says the same (Fieller's); where that is unbounded, as the difference.
    """
    if "factor" not in claim and ("by" in claim or not _is_lambda(claim)):
        least = float(claim.get("by", 0.0))
        found = one.minus(other)
        return _judge(found, Bounds(least, strict=True), _of(claim, found), f"above {least:g}")
    factor = float(claim.get("factor", 1.0))
    gap, ratio = one.minus(other, factor), one.over(other)
    asked = "above 0 (the ratio has no bounded interval)"
    judged = _judge(gap, Bounds(0.0, strict=True), _of(claim, gap), asked)
    if ratio is None:
        return judged
    numbers = {"low": ratio.low, "high": ratio.high, "point": ratio.point}
    return dataclasses.replace(judged, **numbers, subject=_of(claim, ratio), asked=f"above {factor:g}")


def _equal(claim: Mapping[str, Any], one: Q, other: Q) -> Judgement:
    """Return whether the whole interval of a difference or ratio lies near equality (equivalence)."""
    if "tolerance" in claim:
        near = float(claim["tolerance"])
        found = one.minus(other)
        return _judge(found, Bounds(-near, near), _of(claim, found), f"within ±{near:g}")
    if not (one.point > 0 and other.point > 0):
        raise NotCheckable("a ratio needs positive numbers; give a tolerance instead of a factor")
    label, by_seed = f"{one.label} / {other.label}", ratios(one.by_seed, other.by_seed)
    unbounded = Estimate(label, -np.inf, np.inf, one.point / other.point, by_seed)
    found = one.over(other) or unbounded
    factor = float(claim["factor"])
    return _judge(found, Bounds(1 / factor, factor), _of(claim, found), f"from 1/{factor:g} to {factor:g}")


def _between(claim: Mapping[str, Any], one: Q, first: Q, second: Q) -> Judgement:
    """Return whether a quantity is above the lower and below the higher of two, by both differences."""
    lower, upper = sorted((first, second), key=lambda quantity: quantity.point)
    above_zero = Bounds(0.0, strict=True)
    gaps = (one.minus(lower), upper.minus(one))
    asked = f"between {lower.label} ({short(lower.point)}) and {upper.label} ({short(upper.point)})"
    if len(one.by_seed) > 1:
        asked += ", above the one by {} and below the other by {}".format(*map(_interval, gaps))
    sides = {above_zero.side(gap.low, gap.high) for gap in gaps}
    side = next((side for side in (CONTRADICTED, UNDECIDED) if side in sides), HOLDS)
    inside = np.logical_and(*(above_zero.hold(gap.by_seed) for gap in gaps))
    found = one.alone()
    judged = _judge(found, Bounds(-np.inf), f"{_subject(claim)} of {found.label}", asked)
    return dataclasses.replace(judged, side=side, seeds_holding=int(inside.sum()))


def _judge(found: Estimate, bounds: Bounds, subject: str, asked: str) -> Judgement:
    """Return on which side of its bounds an interval lies."""
    side = bounds.side(found.low, found.high)
    holding = int(bounds.hold(found.by_seed).sum())
    n = len(found.by_seed)
    return Judgement(side, found.low, found.high, found.point, n, holding, subject, asked)


def _interval(found: Estimate | Judgement) -> str:
    return f"[{short(found.low)}, {short(found.high)}]"


def _of(claim: Mapping[str, Any], found: Estimate) -> str:
    """Return what a comparison measures."""
    return f"{_subject(claim)}, {found.label}"


def _is_lambda(claim: Mapping[str, Any]) -> bool:
    return "best" in claim or "onset" in claim


def _subject(claim: Mapping[str, Any]) -> str:
    """Return what is measured."""
    if "best" in claim:
        return f"λ of the best {claim['metric']}"
    if "onset" in claim:
        side = "above" if "above" in claim else "below"
        return f"smallest λ with {claim['metric']} {side} {float(claim[side]):g}"
    return str(claim["metric"])
