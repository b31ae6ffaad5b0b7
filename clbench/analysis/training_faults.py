"""Faults that the course of training shows: a penalty out of balance, a stage that learned nothing."""

from __future__ import annotations

import pandas as pd

from clbench.analysis.findings import Finding, done, listed, name_of, without_lambda
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
    steps have led away from the anchor, tell a λ that is too large. A λ that is too small shows in the late
    ones, because right after a switch the penalty is 0 by definition. Runs without a penalty in the gradient
    (none at all, or one that is decoupled) are left out.
    """
    rows = training[training["penalty"] > 0]
    ratio = rows["penalty_grad_norm"] / rows["grad_norm"].where(rows["grad_norm"] > 0)
    stage = rows.groupby(["run", "stage"])["step"]
    is_early = stage.cumcount() < stage.transform("size") / 2
    halves = {"early": ratio[is_early], "late": ratio[~is_early]}
    medians = pd.DataFrame({name: half.groupby(rows["run"]).median() for name, half in halves.items()})
    return medians[(medians > 0).any(axis=1)]


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
            if stage > 0 and (rows["role"] == JOINT).all():
                continue  # its later stages go on with the same data, and need not learn anything new
            is_stuck = rows["run"].map(lambda name, stage=stage: stage in stuck.get(name, ()))
            learning = rows[~is_stuck].groupby("seed")["lam"].min()
            frozen = rows["lam"] > rows["seed"].map(learning)
            concerned = rows[is_stuck & ~frozen]
            if concerned.empty:
                continue
            lams = sorted(set(concerned["lam"].dropna()))
            at = f" at λ = {listed(lams)}" if lams else ""
            smaller = "a smaller λ, " if lams and max(lams) > 0 else ""
            count = f"{len(concerned)} of {len(rows)} runs"
            text = (
                f"{name_of(shared)}: stage {stage} did not learn in {count}{at}: the train loss stayed. "
                f"Try {smaller}another learning rate, more steps, or another activation (dead units)."
            )
            found.append(Finding("stage_without_learning", text, tuple(concerned["run"])))
    return found


def _stuck(losses: pd.DataFrame) -> dict[str, set[int]]:
    """Return the stages that did not learn, by run."""
    split = "train" if (losses["split"] == "train").any() else "test"
    rows = losses[losses["split"] == split]
    number = rows.groupby("run")["task"].transform(lambda task: pd.factorize(task)[0])
    last = rows.groupby(["run", "stage"])["step"].transform("max")
    rows = rows.assign(number=number, last=last)
    keys = ["run", "number"]
    initial = rows[rows["step"] == 0].set_index(keys)["loss"]
    ends = rows[(rows["step"] == rows["last"]) & (rows["step"] > 0)]
    after = ends[ends["number"] == ends["stage"]].set_index(keys)["loss"]
    before = ends[ends["number"] == ends["stage"] + 1].set_index(keys)["loss"]
    before = before.combine_first(initial[initial.index.get_level_values("number") == 0])
    table = pd.concat({"initial": initial, "before": before, "after": after}, axis=1).dropna()
    failed = table["after"] >= (1 - LEARNED) * table["before"]
    failed &= table["after"] > TRANSFERRED * table["initial"]
    stuck: dict[str, set[int]] = {}
    for run, stage in table.index[failed]:
        stuck.setdefault(run, set()).add(int(stage))
    return stuck
