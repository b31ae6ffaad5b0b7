"""Claims of a study, checked by the program: ✅ or ❌ with the interval.

A study's YAML lists them under `study: claims:` (or `claims:`). A claim is true if the whole 95 % interval
lies on the right side; seeds are resampled, and all runs of a claim are paired by seed.

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

What is measured: without `best` and `onset`, the mean of `metric` over seeds. `best: lam` is the λ with the
best mean (`goal: max` or `min` where the metric's own direction is not meant); `onset: lam` the smallest λ of
the grid at which the mean is `below:` (or `above:`) a bound, infinite if none is.

Which runs: a condition is a value, a list of values, `{min: x, max: y}` or null (empty). `lam: chosen` is
the λ chosen on the validation split of the first half of the seeds, and measured on the other half;
`lam: oracle` is the λ with the best final ACC. A mean needs one run per seed, `best` and `onset` one per seed
and λ.

Also: `seeds: all` (or a number) asks that the order holds for every seed (or so many) by itself; for how many
it holds is always told. Where a mean is not positive, «a is above factor · b» is judged by a − factor · b,
and equality needs `tolerance`. A claim about runs that are not there (a narrowed
sweep) is not checked, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from clbench.analysis.claim_forms import Outcome, claim_problems, compare, filters_of, measure_of
from clbench.analysis.quantities import NotCheckable, measure
from clbench.records.files import row_bytes, write_whole
from clbench.records.sweep import read_summaries

if TYPE_CHECKING:
    import pandas as pd

    from clbench.analysis.load import Results


@dataclass(frozen=True)
class Verdict:
    """A claim and what came out.

    Args:
        text: the claim.
        holds: None where it could not be checked.
        found: the interval, the point, what was asked, n, and for how many seeds it holds; or the reason.
        outcome: the same as numbers, None where it could not be checked.
    """

    text: str
    holds: bool | None
    found: str
    outcome: Outcome | None = None

    @property
    def mark(self) -> str:
        """✅, ❌, or – for what was not checked."""
        return "–" if self.holds is None else ("✅" if self.holds else "❌")


def check_claims(claims: Iterable[Mapping[str, Any]], results: Results, seed: int = 0) -> list[Verdict]:
    """Return the verdict on every claim.

    Args:
        claims: as in this module's grammar.
        results: of the sweep.
        seed: of the resampling; equal seeds give equal verdicts.
    """
    return [_check(claim, results, seed) for claim in claims]


def _check(claim: Mapping[str, Any], results: Results, seed: int) -> Verdict:
    """Return the verdict on one claim."""
    text = str(claim.get("claim") or "; ".join(f"{key}: {value}" for key, value in claim.items()))
    if problems := claim_problems([claim]):
        return Verdict(text, None, "not checked: " + " ".join(problems))
    what = measure_of(claim)
    try:
        filters = filters_of(claim)
        runs = _with_training(results, what.metric, {name for conditions in filters for name in conditions})
        outcome = compare(claim, measure(runs, filters, what, seed))
    except NotCheckable as reason:
        return Verdict(text, None, f"not checked: {reason}")
    wanted = claim.get("seeds", 0)
    least = outcome.n if wanted == "all" else int(wanted)
    return Verdict(text, outcome.holds and outcome.seeds_holding >= least, outcome.text(), outcome)


def _with_training(results: Results, metric: str, settings: Iterable[str]) -> pd.DataFrame:
    """Return the runs with some settings, and the last value of a column of `training.csv` if need be."""
    runs = results.with_settings(settings)
    if metric in runs:
        return runs
    if not all((results.run_folder(run) / "training.csv").exists() for run in runs["run"]):
        raise NotCheckable(f"the runs have no column {metric}, and training.csv is not there")
    if metric not in results.training:
        raise NotCheckable(f"neither runs.csv nor training.csv has a column {metric}")
    last = results.training.groupby("run")[metric].last()
    return runs.assign(**{metric: runs["run"].map(last)})


def read_claims(folder: Path | str) -> list[dict[str, Any]]:
    """Return the claims of the study whose results lie in a folder; none if it has none.

    Looked for in `multirun.yaml`, then in the configuration kept with the first run.
    """
    folder = Path(folder)
    path = folder / "multirun.yaml"
    if path.exists():
        return _claims_in(yaml.safe_load(path.read_text(encoding="utf-8")))
    summaries = read_summaries(folder) if folder.is_dir() else []
    return _claims_in(summaries[0]["provenance"]["config"]) if summaries else []


def _claims_in(config: Any) -> list[dict[str, Any]]:
    """Return the list under `study.claims` or `claims`."""
    config = config if isinstance(config, Mapping) else {}
    study = config.get("study")
    found = (study.get("claims") if isinstance(study, Mapping) else None) or config.get("claims") or []
    return [dict(claim) for claim in found if isinstance(claim, Mapping)]


def write_verdicts(folder: Path | str, verdicts: Iterable[Verdict]) -> Path:
    """Write `claims.csv` (`claim,holds,low,high,point,n,seeds_holding,found`) and return its path."""
    rows = []
    for verdict in verdicts:
        row: dict[str, Any] = {"claim": verdict.text, "holds": verdict.holds, "found": verdict.found}
        if outcome := verdict.outcome:
            numbers = {"low": outcome.low, "high": outcome.high, "point": outcome.point}
            row |= {name: float(value) for name, value in numbers.items() if np.isfinite(value)}
            row |= {"n": outcome.n, "seeds_holding": outcome.seeds_holding}
        rows.append(row)
    path = Path(folder) / "claims.csv"
    header = ["claim", "holds", "low", "high", "point", "n", "seeds_holding", "found"]
    write_whole(path, row_bytes(header, rows))
    return path
