"""Claims of a study, checked by the program: ✅, ❌ or – with the interval.

A study's YAML lists them under `study: claims:` (or `claims:`). All runs of a claim are paired by seed. It
holds (✅) where the whole 95 % interval lies on the right side, and is contradicted (❌) where all of it lies
on the wrong side. Else it is undecided (–): the interval reaches both sides, or one seed has none. So a
claim that isn't true is ✅ in at most 2.5 % of all studies (one side of a t interval, normal values),
whatever their number of seeds; few seeds leave it undecided.

    claims:
      - claim: naive forgets A           # the sentence that is printed
        metric: test_loss_A              # a column of runs.csv, or the last value of a column of training.csv
        greater: {strategy: naive}       # which runs: conditions on settings, named as in runs.csv
        than: {strategy: joint}
        factor: 5                        # the ratio of the means is above 5; or `by: 0.1`, a difference
      - claim: l2 at its λ lies between them
        metric: test_loss_A
        of: {strategy: l2, lam: chosen}
        between: [{strategy: joint}, {strategy: naive}]
      - {claim: …, metric: acc, of: {strategy: joint}, at_least: 0.9}      # or at_most: x, or within: [x, y]
      - {claim: …, metric: acc, equal: {strategy: er}, to: {strategy: joint}, tolerance: 0.02}  # or factor
      - {claim: …, best: lam, metric: acc, of: {strategy: l2}, within: [0.1, 10]}
      - {claim: …, onset: lam, below: 0.5, metric: test_f1_micro_A, of: {strategy: adapter}, at_most: 0.05}
      - claim: the best λ is the same at widths 16 and 512
        best: lam
        metric: acc
        equal: {strategy: l2, model.hidden: "[16, 16]"}
        to: {strategy: l2, model.hidden: "[512, 512]"}
        factor: 3.2

What is measured: without `best` and `onset`, the mean of `metric` over seeds, with Student's t interval. «a
above factor · b» is judged by the paired difference a − factor · b, and reported as the ratio with Fieller's
interval; equality by the whole interval of the difference or the ratio. `best: lam` is the λ with the best
mean (`goal: max` or `min` where the metric's own direction is not meant); `onset: lam` the smallest λ of the
grid at which the mean is `below:` (or `above:`) a bound, infinite if none is. Their interval goes from the
smallest to the largest λ of a confidence set (`lambda_sets`); where two are compared, each set has 97.5 %.

Which runs: a condition is a value, a list of values, `{min: x, max: y}` or null (empty). `lam: chosen` is
the λ that each seed's others choose on the validation split; `lam: oracle` is the λ with the best final ACC.
A mean needs one run per seed, `best` and `onset` one per seed and λ.

Lost seeds: where one set of runs has a seed that another has no value for (it diverged, failed, was not
run), or a single set has runs without one, the claim says how many and why, and is undecided: nobody knows
what they would have said. A λ that some seed has not finished is named as well, and stays among those that
may be the best or the first, unless it diverged where the best is looked for.

Also: `seeds: all` (or a number) asks that the order holds for every seed (or so many) by itself, besides;
one seed against it (too few of enough seeds) contradicts the claim. For how many it holds is always said.
Where a mean is not positive, equality needs `tolerance`. A claim about runs that are not there (a narrowed
sweep) is not checked, and says so; one about runs with other settings than the study's says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.claim_forms import CONTRADICTED, HOLDS, UNDECIDED, Judgement, judge
from clbench.analysis.claim_grammar import filters_of, grammar_problems, measure_of
from clbench.analysis.claim_runs import Measured, measure
from clbench.analysis.conditions import NotCheckable
from clbench.analysis.frames import column_of
from clbench.analysis.load import Records
from clbench.records.files import row_bytes, write_whole

NOT_CHECKED = "not checked"
MARKS = {HOLDS: "✅", CONTRADICTED: "❌", UNDECIDED: "–", NOT_CHECKED: "–"}


@dataclass(frozen=True)
class Verdict:
    """A claim and what came out.

    Args:
        text: the claim.
        word: `holds`, `contradicted`, `undecided`, or `not checked`.
        found: the interval, the point, what was asked, n, and for how many seeds it holds; or the reason.
        judgement: the same as numbers, None where it could not be checked.
        lost: how many seeds were lost and why, empty if none.
    """

    text: str
    word: str
    found: str
    judgement: Judgement | None = None
    lost: str = ""

    @property
    def mark(self) -> str:
        """✅, ❌, or – for what is undecided or was not checked."""
        return MARKS[self.word]

    @property
    def holds(self) -> bool | None:
        """Whether it holds; None where that is undecided or was not checked."""
        return {HOLDS: True, CONTRADICTED: False}.get(self.word)


def check_claims(
    claims: Iterable[Mapping[str, Any]], results: Records, changes: Sequence[str] = ()
) -> list[Verdict]:
    """Return the verdict on every claim.

    Args:
        claims: as in this module's grammar.
        results: of the sweep.
        changes: settings in which it differs from the study, as `training.steps=500 → 20`.
    """
    return [_check(claim, results, changes) for claim in claims]


def count_verdicts(verdicts: Iterable[Verdict]) -> str:
    """Return how many claims came out how: `Claims: 3 ✅, 0 ❌, 1 undecided, 0 not checked`."""
    counts = Counter(verdict.word for verdict in verdicts)
    words = {HOLDS: "✅", CONTRADICTED: "❌", UNDECIDED: UNDECIDED, NOT_CHECKED: NOT_CHECKED}
    return "Claims: " + ", ".join(f"{counts[word]} {name}" for word, name in words.items())


def _check(claim: Mapping[str, Any], results: Records, changes: Sequence[str]) -> Verdict:
    """Return the verdict on one claim."""
    text = str(claim.get("claim") or "; ".join(f"{key}: {value}" for key, value in claim.items()))
    if problems := grammar_problems([claim]):
        return Verdict(text, NOT_CHECKED, f"{NOT_CHECKED}: " + " ".join(problems))
    what = measure_of(claim)
    try:
        filters = filters_of(claim)
        runs = _with_training(results, what.metric, {name for conditions in filters for name in conditions})
        measured = measure(runs, filters, what)
        judgement = judge(claim, measured.quantities)
    except NotCheckable as reason:
        return Verdict(text, NOT_CHECKED, f"{NOT_CHECKED}: {reason}")
    word, why = decide(judgement, claim.get("seeds", 0), measured.lost)
    notes = [f"made for other settings: {', '.join(changes)}"] if changes else []
    notes += [f"{word}: {why}"] if why else []
    notes += [judgement.text()]
    notes += [part for part in (measured.lost, _left_out(measured)) if part and part != why]
    return Verdict(text, word, "; ".join(notes), judgement, measured.lost)


def decide(judgement: Judgement, wanted: int | str, lost: str) -> tuple[str, str]:
    """Return the word of a verdict, and the reason where the interval alone does not give it.

    Args:
        judgement: what the claim came to.
        wanted: for how many seeds it shall hold by itself: a number, or `all`.
        lost: how many seeds were lost and why, empty if none.
    """
    n, holding = judgement.n, judgement.seeds_holding
    least = n if wanted == "all" else int(wanted)
    if holding < least <= n:
        return CONTRADICTED, f"against it: {n - holding} of {n} seeds"
    if lost:
        return UNDECIDED, lost
    if n < 2:
        return UNDECIDED, "one seed has no interval"
    if n < least:
        return UNDECIDED, f"it is about {least} seeds"
    return judgement.side, "the interval reaches both sides" if judgement.side == UNDECIDED else ""


def _left_out(measured: Measured) -> str:
    return f"λ not finished by all seeds: {measured.left_out}" if measured.left_out else ""


def _with_training(results: Records, metric: str, settings: Iterable[str]) -> pd.DataFrame:
    """Return the runs with some settings, and the last value of a column of `training.csv` if need be."""
    runs = results.with_settings(settings)
    if metric in runs:
        return runs
    if not all((results.run_folder(run) / "training.csv").exists() for run in runs["run"]):
        raise NotCheckable(f"the runs have no column {metric}, and training.csv is not there")
    if metric not in results.training:
        raise NotCheckable(f"neither runs.csv nor training.csv has a column {metric}")
    known = results.training.dropna(subset=[metric]).drop_duplicates("run", keep="last").set_index("run")
    return runs.assign(**{metric: column_of(known, metric).reindex(column_of(runs, "run")).to_numpy()})


def write_verdicts(folder: Path | str, verdicts: Iterable[Verdict]) -> Path:
    """Write `claims.csv`, a row per claim with its word, numbers, losses and text, and return its path."""
    rows = []
    for verdict in verdicts:
        row: dict[str, Any] = {"claim": verdict.text, "verdict": verdict.word, "holds": verdict.holds}
        row |= {"lost": verdict.lost, "found": verdict.found}
        if judgement := verdict.judgement:
            numbers = {"low": judgement.low, "high": judgement.high, "point": judgement.point}
            row |= {name: float(value) for name, value in numbers.items() if np.isfinite(value)}
            row |= {"n": judgement.n, "seeds_holding": judgement.seeds_holding}
        rows.append(row)
    path = Path(folder) / "claims.csv"
    header = ["claim", "verdict", "holds", "low", "high", "point", "n", "seeds_holding", "lost", "found"]
    write_whole(path, row_bytes(header, rows))
    return path
