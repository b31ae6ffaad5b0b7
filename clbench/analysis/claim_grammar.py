"""The grammar of a claim: which keys it has, which runs it names, what it measures (said in `claims`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
class Measure:
    """What is measured of a set of runs.

    Args:
        metric: a column of the runs.
        find: `mean`, `best` (the λ of the best mean) or `onset` (the smallest λ with a mean beyond `bound`).
        bound: for `onset`.
        above: for `onset`, whether beyond is above `bound` or below.
        maximise: for `best`.
    """

    metric: str
    find: str = "mean"
    bound: float = 0.0
    above: bool = False
    maximise: bool = True


def grammar_problems(claims: Iterable[Mapping[str, Any]]) -> list[str]:
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
