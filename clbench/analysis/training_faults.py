"""Faults that the course of training shows: a penalty out of balance, a stage that learned nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from clbench.analysis.findings import Finding, done, listed, name_of, without_lambda
from clbench.analysis.frames import column_of, rows_where
from clbench.analysis.settings import group_by
from clbench.analysis.tables import short
from clbench.records.roles import JOINT

DROWNS = 10.0
"""Norm of the penalty's gradient over the task gradient's, some steps after a switch. Near the optimum of
their sum the two are equal, and batch noise only raises the task's; at 10 and more the first steps overshot,
and those that follow obey the task by less than a tenth. (In the two-task regression with Adam and l2: about
1 up to λ = 100, 2 at 1,000, 15 at 10,000.)"""

VANISHES = 1e-3
"""The same ratio from below: a thousandth of the gradient is under the noise of any batch."""

LEARNED = 0.01
"""A stage learned something if its task's train loss fell by at least this share of what it was."""

TRANSFERRED = 0.5
"""A stage need not learn a task whose train loss already lies below this share of that at initialisation."""


def gradient_ratios(training: pd.DataFrame) -> pd.DataFrame:
    """Return, per run, the median of ‖∇penalty‖ / ‖∇task loss‖ over the `early` and the `late` points of the
    stages in which the penalty acts: the first and the last half of each stage's points.

    Sooner or later the two gradients balance, however large λ is: only the early points, where the first
    steps have led away from the anchor, show a λ that is too large. A λ that is too small shows in the late
    ones, because right after a switch the penalty is 0 by definition. Runs without a penalty in the gradient
    (none at all, or one that is decoupled) are left out.
    """
    rows = rows_where(training, training["penalty"] > 0)
    task = column_of(rows, "grad_norm")
    rows = rows.assign(ratio=column_of(rows, "penalty_grad_norm") / task.where(task > 0))
    steps: Any = rows.groupby(["run", "stage"])["step"]
    is_early = steps.cumcount() < steps.transform("size") / 2
    halves = {"early": rows_where(rows, is_early), "late": rows_where(rows, ~is_early)}
    medians = pd.DataFrame({name: half.groupby("run")["ratio"].median() for name, half in halves.items()})
    return rows_where(medians, (medians > 0).any(axis=1))


def unbalanced_penalty(runs: pd.DataFrame, training: pd.DataFrame) -> list[Finding]:
    """Find strategies whose penalty drowns the task loss or vanishes beside it at every λ that was tried."""
    found = []
    judged = done(runs).join(gradient_ratios(training), on="run", how="inner")
    for shared, rows in group_by(judged, without_lambda(runs)):
        by_lambda = rows.groupby("lam", dropna=False)[["early", "late"]].median()
        low, high = by_lambda.max(axis=1).min(), by_lambda.max(axis=1).max()
        lams = [lam for lam in by_lambda.index if lam == lam]
        tried = f" at λ = {listed(lams)}" if lams else ""
        if low > DROWNS:
            text = (
                f"{name_of(shared)}: the penalty drowns the loss{tried}: its gradient is {short(low)} times "
                "the task's or more, so the task is hardly learned. Try λ some decades smaller, scale=mean "
                "or a smaller learning rate."
            )
            found.append(Finding("penalty_drowns", text, tuple(rows["run"])))
        if high < VANISHES:
            hint = f" around {short(max(lams) / high)}" if lams else " some decades larger"
            text = (
                f"{name_of(shared)}: the penalty vanishes beside the loss{tried}: its gradient is "
                f"{short(high)} times the task's or less. This is naive training. Try λ{hint}, or scale=sum."
            )
            found.append(Finding("penalty_vanishes", text, tuple(rows["run"])))
    return found


def stage_without_learning(runs: pd.DataFrame, losses: pd.DataFrame) -> list[Finding]:
    """Find stages whose own task's train loss did not fall, though it was not low already.

    A run at a large λ is left out where a smaller λ of the same seed did learn the stage: being frozen is
    what a large λ is for.
    """
    stuck = _stuck(losses)
    found = []
    for shared, rows in group_by(done(runs), without_lambda(runs)):
        for stage in sorted({stage for name in rows["run"] for stage in stuck.get(name, ())}):
            if stage > 0 and set(rows["role"]) == {JOINT}:
                continue  # its later stages go on with the same data, and need not learn anything new
            concerned = _concerned(rows, [stage in stuck.get(name, ()) for name in rows["run"]])
            if concerned.empty:
                continue
            lams = sorted(set(column_of(concerned, "lam").dropna()))
            at = f" at λ = {listed(lams)}" if lams else ""
            smaller = "a smaller λ, " if lams and max(lams) > 0 else ""
            count = f"{len(concerned)} of {len(rows)} runs"
            text = (
                f"{name_of(shared)}: stage {stage} did not learn in {count}{at}: the train loss stayed. "
                f"Try {smaller}another learning rate, more steps, or another activation (dead units)."
            )
            found.append(Finding("stage_without_learning", text, tuple(concerned["run"])))
    return found


def _concerned(rows: pd.DataFrame, is_stuck: Sequence[bool]) -> pd.DataFrame:
    """Return the runs that are stuck, but those at a larger λ than one at which their seed is not."""
    lams = column_of(rows, "lam")
    least = lams.mask(np.asarray(is_stuck)).groupby(rows["seed"]).transform("min")
    return rows_where(rows, np.asarray(is_stuck) & ~(lams > least))


def _stuck(losses: pd.DataFrame) -> dict[str, set[int]]:
    """Return the stages that did not learn, by run."""
    split = "train" if "train" in set(losses["split"]) else "test"
    rows = rows_where(losses, losses["split"] == split)
    number = rows.groupby("run")["task"].transform(lambda task: pd.factorize(task)[0])
    last = rows.groupby(["run", "stage"])["step"].transform("max")
    rows = rows.assign(number=number, last=last)
    initial = rows_where(rows, rows["step"] == 0)
    ends = rows_where(rows, (rows["step"] == rows["last"]) & (rows["step"] > 0))
    before = rows_where(ends, ends["number"] == ends["stage"] + 1)
    parts = {
        "initial": _losses(initial),
        "before": _losses(pd.concat([rows_where(initial, initial["number"] == 0), before])),
        "after": _losses(rows_where(ends, ends["number"] == ends["stage"])),
    }
    table = pd.concat(parts, axis=1).dropna()
    failed = table["after"] >= (1 - LEARNED) * table["before"]
    failed &= table["after"] > TRANSFERRED * table["initial"]
    stuck: dict[str, set[int]] = {}
    for run, stage in rows_where(table, failed).index:
        stuck.setdefault(run, set()).add(int(stage))
    return stuck


def _losses(rows: pd.DataFrame) -> pd.Series:
    """Return the losses by run and number of the task."""
    return column_of(rows.set_index(["run", "number"]), "loss")
