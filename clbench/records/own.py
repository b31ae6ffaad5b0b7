"""Scores and metrics of the user's own as records keep them: reading a folder needs no code of theirs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from clbench.records.columns import COUNTS, read_final
from clbench.records.declared import METRICS, Metric
from clbench.scores import SCORES, Score

Declared = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Fields of `Score` and `Metric` but their functions, by name, under `scores` and `metrics`."""


def own_declarations(scores: Iterable[str]) -> dict[str, Any]:
    """Return what a run's summary keeps of some scores and of all metrics; nothing of clbench's own."""
    found = {
        "scores": {name: _plain(SCORES[name]) for name in scores if name in SCORES and SCORES[name].is_own},
        "metrics": {name: _plain(metric) for name, metric in METRICS.items() if metric.is_own},
    }
    return {kind: items for kind, items in found.items() if items}


def adopt(declared: Declared) -> None:
    """Declare, without a function, what records say of scores and metrics that are not known here."""
    for name, fields in declared.get("scores", {}).items():
        SCORES.setdefault(name, Score(name, function=None, **fields))
    for name, fields in declared.get("metrics", {}).items():
        METRICS.setdefault(name, Metric(name, formula=None, **fields))


def unknown_columns(columns: Iterable[str]) -> list[str]:
    """Return which columns after the status of `runs.csv` are of scores and metrics not known here."""
    names = list(columns)
    after = names[names.index("status") + 1 :]
    known = {*METRICS, *COUNTS, "diverged_after"}
    return [name for name in after if name not in known and read_final(name) is None]


def _plain(declared: Score | Metric) -> dict[str, Any]:
    fields = dataclasses.asdict(declared)
    return {name: value for name, value in fields.items() if name not in ("name", "function", "formula")}
