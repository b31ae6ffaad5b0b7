"""The forms of a claim: which keys it has, and when it holds (the grammar is told in `claims`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clbench.analysis.quantities import Measure, NotCheckable, Quantity
from clbench.analysis.statistics import LEVEL
from clbench.analysis.tables import short
from clbench.errors import known
from clbench.records.columns import higher_is_better

FORMS = {
    ("greater", "than"): ("factor", "by"),
    ("equal", "to"): ("factor", "tolerance"),
    ("of", "between"): (),
    ("of", "at_least"): (),
    ("of", "at_most"): (),
    ("of", "within"): (),
}
"""The pair of keys that makes a form, and the keys that it may have besides."""

ALWAYS = ("claim", "metric", "seeds", "best", "onset", "goal", "above", "below")


@dataclass(frozen=True)
class Outcome:
    """What a claim came to.

    Args:
        holds: whether the whole interval is on the right side.
        low, high, point: of what was measured: a ratio, a difference, or a quantity itself.
        n: seeds.
        seeds_holding: for how many seeds the order holds by itself.
        subject: what was measured.
        asked: what it should be.
    """

    holds: bool
    low: float
    high: float
    point: float
    n: int
    seeds_holding: int
    subject: str
    asked: str

    def text(self) -> str:
        """Return the outcome in a line: interval first, point second, n always."""
        estimate = f"[{short(self.low)}, {short(self.high)}] {short(self.point)}"
        if self.n < 2:
            estimate = f"{short(self.point)} without an interval"
        seeds = f"n = {self.n}, holds for {self.seeds_holding} of {self.n} seeds"
        return f"{self.subject}: {estimate}, asked: {self.asked}; {seeds}"


def claim_problems(claims: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line (rule; got; what to do) per broken rule of the grammar."""
    found = []
    for number, claim in enumerate(claims):
        where = f"claims[{number}]"
        forms = [form for form in FORMS if all(key in claim for key in form)]
        if "metric" not in claim:
            found.append(
                f"A claim must name a metric; got {where} without. Add metric: <column of runs.csv>."
            )
        if len(forms) != 1:
            pairs = "; ".join(" and ".join(form) for form in FORMS)
            found.append(
                f"A claim must have one form; got {where} with {len(forms)}. Give one pair of: {pairs}."
            )
        allowed = {*ALWAYS, *(key for form in forms for key in (*form, *FORMS[form]))}
        if len(forms) == 1 and (unknown := sorted(set(claim) - allowed)):
            found.append(f"A claim must have known keys; got {where}.{unknown[0]}. {known(allowed)}")
        if forms == [("equal", "to")] and ("factor" in claim) == ("tolerance" in claim):
            found.append(f"Equality needs either factor or tolerance; got {where}. Say how near is equal.")
        if forms == [("greater", "than")] and "factor" in claim and "by" in claim:
            found.append(f"A comparison needs factor or by, not both; got {where}. Drop one.")
        if "onset" in claim and ("above" in claim) == ("below" in claim):
            found.append(f"An onset needs either above or below; got {where}. Give the bound.")
        if any(claim.get(key, "lam") != "lam" for key in ("best", "onset")) or {"best", "onset"} <= set(
            claim
        ):
            found.append(
                f"best and onset are of lam, and one of them; got {where}. Write best: lam or onset: lam."
            )
    return found


def filters_of(claim: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the sets of runs that a claim is about, the first one first."""
    for first, second in (("greater", "than"), ("equal", "to")):
        if first in claim:
            return [claim[first], claim[second]]
    return [claim["of"], *claim.get("between", ())]


def measure_of(claim: Mapping[str, Any]) -> Measure:
    """Return what a claim measures of each set of runs."""
    metric = str(claim["metric"])
    maximise = claim["goal"] == "max" if "goal" in claim else higher_is_better(metric)
    find = next((key for key in ("best", "onset") if key in claim), "mean")
    bound = float(claim.get("above", claim.get("below", 0.0)))
    return Measure(metric, find, bound, "above" in claim, maximise)


def compare(claim: Mapping[str, Any], quantities: list[Quantity]) -> Outcome:
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
    quantity = quantities[0]
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
    return _judge(quantity, Bounds(low, high), f"{_subject(claim)} of {quantity.label}", asked)


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


def _is_near(values: np.ndarray, bound: float) -> np.ndarray:
    return np.isclose(values, bound, rtol=1e-9, atol=1e-12) if np.isfinite(bound) else values == bound


def _greater(claim: Mapping[str, Any], one: Quantity, other: Quantity) -> Outcome:
    if "factor" not in claim and ("by" in claim or not _is_lambda(claim)):
        least = float(claim.get("by", 0.0))
        found = _combine(one, other, "−")
        return _judge(found, Bounds(least, strict=True), _of(claim, found), f"above {least:g}")
    factor = float(claim.get("factor", 1.0))
    if _are_positive(one, other):
        found = _combine(one, other, "/")
        return _judge(found, Bounds(factor, strict=True), _of(claim, found), f"above {factor:g}")
    scaled = Quantity(f"{factor:g} · {other.label}", *(factor * part for part in other.numbers()))
    found = _combine(one, scaled, "−")
    return _judge(found, Bounds(0.0, strict=True), _of(claim, found), "above 0")


def _equal(claim: Mapping[str, Any], one: Quantity, other: Quantity) -> Outcome:
    if "tolerance" in claim:
        near = float(claim["tolerance"])
        found = _combine(one, other, "−")
        return _judge(found, Bounds(-near, near), _of(claim, found), f"within ±{near:g}")
    if not _are_positive(one, other):
        raise NotCheckable("a ratio needs positive numbers; give a tolerance instead of a factor")
    factor = float(claim["factor"])
    found = _combine(one, other, "/")
    return _judge(found, Bounds(1 / factor, factor), _of(claim, found), f"from 1/{factor:g} to {factor:g}")


def _between(claim: Mapping[str, Any], one: Quantity, first: Quantity, second: Quantity) -> Outcome:
    """Return whether a quantity lies above the lower and below the higher of two others."""
    lower, upper = sorted((first, second), key=lambda quantity: quantity.point)
    asked = f"between {lower.label} ({short(lower.point)}) and {upper.label} ({short(upper.point)})"
    told = _judge(one, Bounds(-np.inf), f"{_subject(claim)} of {one.label}", asked)
    above_zero = Bounds(0.0, strict=True)
    gaps = (_combine(one, lower, "−"), _combine(upper, one, "−"))
    holds = all(_judge(gap, above_zero, "", "").holds for gap in gaps)
    inside = np.logical_and(*(above_zero.hold(gap.by_seed) for gap in gaps))
    return dataclasses.replace(told, holds=holds, seeds_holding=int(inside.sum()))


def _are_positive(*quantities: Quantity) -> bool:
    """Tell whether a ratio means something."""
    return all(quantity.point > 0 and (quantity.resampled > 0).all() for quantity in quantities)


def _combine(one: Quantity, other: Quantity, sign: str) -> Quantity:
    """Return the paired difference (`−`) or ratio (`/`) of two quantities."""
    if not all(np.isfinite(quantity.resampled).all() for quantity in (one, other)):
        raise NotCheckable("an onset is not reached within the grid")
    operate = np.subtract if sign == "−" else np.divide
    with np.errstate(divide="ignore", invalid="ignore"):  # a single seed may hold a 0
        numbers = [operate(mine, theirs) for mine, theirs in zip(one.numbers(), other.numbers(), strict=True)]
    return Quantity(f"{one.label} {sign} {other.label}", *numbers)


def _judge(quantity: Quantity, bounds: Bounds, subject: str, asked: str) -> Outcome:
    """Return whether the whole interval of a quantity lies within bounds; one seed has no interval."""
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    method = "linear" if np.isfinite(quantity.resampled).all() else "nearest"
    low, high = np.quantile(quantity.resampled, ends, method=method)
    n = len(quantity.by_seed)
    holds = n > 1 and bool(bounds.hold(np.array([low, high])).all())
    holding = int(bounds.hold(quantity.by_seed).sum())
    return Outcome(holds, float(low), float(high), float(quantity.point), n, holding, subject, asked)


def _of(claim: Mapping[str, Any], quantity: Quantity) -> str:
    """Return what a comparison measures."""
    return f"{_subject(claim)}, {quantity.label}"


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
