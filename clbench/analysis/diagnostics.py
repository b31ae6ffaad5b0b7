"""What may be wrong with a run or a sweep: the cause, and what to try.

A diagnosis is for the person who would otherwise draw a wrong conclusion. It is silent on a healthy sweep; a
grid of λ is meant to reach from «no effect» to «frozen», so the ends of a grid that also holds a λ
between them are no fault.

That the train loss rises above the test loss because the penalty was mixed in can't happen here: the task
loss is measured alone in `losses.csv` and in the column `task_loss` of `training.csv`, the penalty in its own
column. A penalty without gradient never gets here: the engine refuses it before it trains.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from clbench.analysis.findings import Finding
from clbench.analysis.load import Records
from clbench.analysis.sweep_faults import (
    best_lambda_at_edge,
    diverged,
    lambda_without_effect,
    seed_without_effect,
    train_above_test,
)
from clbench.analysis.training_faults import stage_without_learning, unbalanced_penalty
from clbench.records.files import json_bytes, write_whole
from clbench.records.run import SUMMARY


def diagnose(results: Records) -> list[Finding]:
    """Return everything found in a run or a sweep, from its files."""
    runs = results.runs
    found = [
        *diverged(runs),
        *lambda_without_effect(runs),
        *seed_without_effect(runs),
        *best_lambda_at_edge(runs),
        *train_above_test(runs),
    ]
    found += unbalanced_penalty(runs, results.training)
    found += stage_without_learning(runs, results.losses)
    return found


def write_findings(results: Records, findings: Iterable[Finding]) -> None:
    """Write into every run's `summary.json` the findings that concern it, in place of earlier ones."""
    texts: dict[str, list[str]] = {name: [] for name in results.runs["run"]}
    for finding in findings:
        for name in finding.runs:
            texts[name].append(finding.text)
    for name, lines in texts.items():
        path = results.run_folder(name) / SUMMARY
        summary = json.loads(path.read_text(encoding="utf-8"))
        if summary.get("diagnostics") != lines:
            write_whole(path, json_bytes(summary | {"diagnostics": lines}))
