"""Which λ a picture shows, chosen as the report's table chooses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clbench.analysis.frames import column_of, groups, rows_where
from clbench.analysis.selection import best_lambda, criterion, nested_lambdas
from clbench.figures.looks import Look
from clbench.figures.scores import Scores
from clbench.figures.words import number_text


@dataclass(frozen=True)
class Choice:
    """The runs of a setting that get curves, and how their λ was chosen.

    Args:
        runs: finished runs: those without λ, and of every variant each seed's at its λ. `line` names that λ;
            where seeds differ, the one that most of them chose, and how many did.
        lams: the λ chosen, of every variant with several.
        split: `val`, or `test` where there is no validation split: then it is the oracle's.
        looks: colour and dash of every line.
    """

    runs: pd.DataFrame
    lams: dict[str, tuple[float, ...]]
    split: str
    looks: Mapping[str, Look]

    @property
    def words(self) -> str:
        """How λ was chosen, nothing where none was."""
        if not self.lams:
            return ""
        if self.split == "test":
            return " λ is the oracle's, best on the test split: there is no validation split."
        if column_of(self.runs, "seed").nunique() == 1:
            return " λ: best mean over tasks on the validation split of this one seed."
        return " λ: each seed's is the best mean over tasks on the validation split of the other seeds."


def choose(scores: Scores, setting: str) -> Choice:
    """Choose each variant's λ: for every seed on the validation split of the others.

    A single seed chooses for itself; without validation the oracle's λ is taken, the best on the test split.

    Args:
        scores: the runs.
        setting: whose.
    """
    runs = rows_where(scores.all_runs, scores.all_runs["setting"] == setting)
    swept = rows_where(runs, runs["lam"].notna())
    split = "val" if criterion(swept, "val").notna().any() else "test"
    values = criterion(swept, split)
    shown, lines, lams, looks = runs["lam"].isna(), runs["line"].copy(), {}, dict(scores.looks)
    for variant, group in groups(swept, "variant"):
        found = _lambdas(group, values.loc[group.index], split)
        pairs = zip(group["seed"], group["lam"], strict=True)
        kept = group.index[[found.get(seed) == lam for seed, lam in pairs]]
        shown[kept] = True
        if column_of(group, "lam").nunique() > 1 and len(kept):
            lams[variant] = tuple(sorted(set(group.loc[kept, "lam"])))
            line = f"{variant}, λ={_counted(group.loc[kept, 'lam'])}"
            lines[kept], looks[line] = line, scores.looks[variant]
    drawn = rows_where(runs.assign(line=lines), shown & (runs["status"] == "done"))
    return Choice(drawn, lams, split, looks)


def _lambdas(runs: pd.DataFrame, values: pd.Series, split: str) -> dict[int, float]:
    """Return the λ of every seed of a variant."""
    nested = nested_lambdas(runs, values) if split == "val" else {}
    if any(np.isfinite(lam) for lam in nested.values()):
        return nested
    return dict.fromkeys(runs["seed"], best_lambda(runs, values))


def _counted(lams: pd.Series) -> str:
    """Return the most frequent λ, the smallest of equals, with its share where seeds differ."""
    counts = Counter(lams.sort_values()).most_common()
    lam, count = counts[0]
    return number_text(lam) if len(counts) == 1 else f"{number_text(lam)} ({count} of {len(lams)})"
