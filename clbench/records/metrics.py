"""The metrics of continual learning, as pure functions of recorded scores.

Throughout, `R` `[stages, tasks]` holds in `R[i, j]` the score on task j after stage i, with as many
stages as tasks (T); `b` `[tasks]` is the score at initialisation. Scores are *oriented*: higher is better.
A loss enters with its sign turned, and all metrics are then in the loss's units. What averages over no
pair at all (backward transfer of a stream of one task) is NaN. Indices below count from 1, as in the papers.

R and b come from whole splits. Inside a stage only a fixed subset of a split is evaluated, so all that reads
curves (min-ACC, WC-ACC, the gap, AAA) takes the values on that subset at every point, also at the ends of
stages: a network that does not move has no gap.

A metric is its formula with a line above that declares it; the parameters' names say what it is computed from
(`declared`). It then has a column in `runs.csv`, an orientation, and, with a heading, a place in the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clbench.records.declared import METRICS, metric

NAN = float("nan")


def _mean(values: object) -> float:
    """Return the mean, or NaN where there is nothing to average."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()) if array.size else NAN


@metric(higher_is_better=True, heading="ACC", heading_of_losses="mean loss")
def acc(matrix: np.ndarray) -> float:
    """ACC = 1/T · Σ_j R[T,j]: the average score over all tasks at the end.

    Source: Lopez-Paz and Ranzato 2017, eq. 2.
    """
    return _mean(matrix[-1])


@metric(higher_is_better=True)
def bwt(matrix: np.ndarray) -> float:
    """BWT = 1/(T−1) · Σ_{j<T} (R[T,j] − R[j,j]): negative where later tasks hurt earlier ones.

    Source: Lopez-Paz and Ranzato 2017, eq. 3.
    """
    return _mean((matrix[-1] - np.diagonal(matrix))[:-1])


@metric(higher_is_better=True)
def fwt(matrix: np.ndarray, initial: np.ndarray) -> float:
    """FWT = 1/(T−1) · Σ_{j>1} (R[j−1,j] − b_j): what earlier tasks give a task before it is trained.

    Source: Lopez-Paz and Ranzato 2017, eq. 4.
    """
    return _mean(np.diagonal(matrix, offset=1) - np.asarray(initial)[1:])


@metric(higher_is_better=False, heading="forgetting")
def forgetting(matrix: np.ndarray) -> float:
    """F = 1/(T−1) · Σ_{j<T} (max_{j≤l<T} R[l,j] − R[T,j]): the fall from the best once reached.

    The maximum runs over the stages from the task's own to the last but one. Source: Chaudhry et al. 2018
    ("Riemannian walk"), eq. 3, restricted to l ≥ j, before which the task is not learned.
    """
    last = len(matrix) - 1
    return _mean([matrix[task:last, task].max() - matrix[last, task] for task in range(last)])


@metric(higher_is_better=True)
def learning_accuracy(matrix: np.ndarray) -> float:
    """LA = 1/T · Σ_j R[j,j]: the score on every task right after it was trained.

    Source: Riemer et al. 2019.
    """
    return _mean(np.diagonal(matrix))


@metric(higher_is_better=False)
def intransigence(diagonal: np.ndarray, reference: np.ndarray) -> float:
    """I = 1/T · Σ_j (R*[j,j] − R[j,j]): what is not learned of a new task, against a reference run.

    The reference R* is the joint run of the same seed. Negative values mean that the sequential run learned
    its tasks better. Note: Chaudhry et al. 2018 (eq. 4) train their reference on the tasks 1..j, which is our
    strategy `cumulative`; a joint run also has, after stage j, only j stages' worth of steps behind it.
    """
    return _mean(np.asarray(reference) - np.asarray(diagonal))


@metric(higher_is_better=True)
def min_acc(curve: np.ndarray, stage: np.ndarray) -> float:
    """min-ACC = 1/(T−1) · Σ_{j<T} min_{n after stage j} a_n(j): the worst moment of every old task.

    Args:
        curve: oriented scores at all evaluation points, `[points, tasks]`.
        stage: of every point, `[points]`; the minimum runs over points of stages after the task's own.

    Source: De Lange et al. 2023 ("Continual evaluation"), eq. 3.
    """
    tasks = curve.shape[1]
    return _mean([curve[stage > task, task].min() for task in range(tasks - 1)])


@metric(higher_is_better=True)
def wc_acc(curve: np.ndarray, stage: np.ndarray) -> float:
    """WC-ACC = 1/T · R[T,T] + (1 − 1/T) · min-ACC: a lower bound on what a method guarantees.

    Source: De Lange et al. 2023, eq. 4. Arguments as in `min_acc`.
    """
    tasks = curve.shape[1]
    if tasks == 1:
        return float(curve[-1, -1])
    return float(curve[-1, -1]) / tasks + (1 - 1 / tasks) * min_acc(curve, stage)


@dataclass(frozen=True)
class Gap:
    """The stability gap of one old task in one stage: how deep, and how long.

    Args:
        task, stage: which, from 0; task < stage.
        depth: in the score's units, at least 0.
        recovery: gradient steps from the switch until the gap has closed; 0 without a gap.
    """

    task: int
    stage: int
    depth: float
    recovery: int


def gaps(curve: np.ndarray, stage: np.ndarray, step: np.ndarray) -> list[Gap]:
    """Return the stability gap of every task j in every later stage k.

    level(j,k) = min(R[k−1,j], R[k,j]); depth = max(0, level − min_{n in stage k} a_n(j)); recovery = the
    steps from the switch to the first point after that minimum that is back at the level. A gap is what is
    lost *and regained*: what stays lost is forgetting and counts in neither. Since the end of the stage is at
    the level, a gap always closes; the steps are those of evaluation points, hence an upper bound.

    Args:
        curve, stage: as in `min_acc`.
        step: gradient steps at every point, `[points]`.

    Source: after De Lange et al. 2023, who name the gap and show it by curves, without one number for it.
    """
    found = []
    for new in range(1, int(stage.max()) + 1):
        inside = np.flatnonzero(stage == new)
        before = inside[0] - 1
        for task in range(min(new, curve.shape[1])):
            scores = curve[inside, task]
            level = min(curve[before, task], scores[-1])
            low = int(scores.argmin())
            depth = float(max(0.0, level - scores[low]))
            back = low + int(np.argmax(scores[low:] >= level))
            recovery = int(step[inside[back]] - step[before]) if depth > 0 else 0
            found.append(Gap(task, new, depth, recovery))
    return found


@metric(higher_is_better=False)
def gap_depth(gaps: list[Gap]) -> float:
    """Return the mean depth over all tasks and later stages (see `gaps`)."""
    return _mean([gap.depth for gap in gaps])


@metric(higher_is_better=False)
def gap_recovery(gaps: list[Gap]) -> float:
    """Return the mean number of steps to recover over all tasks and later stages (see `gaps`)."""
    return _mean([gap.recovery for gap in gaps])


@metric(higher_is_better=True)
def aaa(curve: np.ndarray, stage: np.ndarray, step: np.ndarray) -> float:
    """AAA = 1/P · Σ_n mean_{j ≤ stage(n)} a_n(j): the average anytime score over the tasks seen so far.

    P counts the evaluation points after step 0. They lie dense after a switch, so the time after a switch
    weighs more than its steps. Arguments as in `gaps`. Source: Caccia et al. 2022.
    """
    after = np.asarray(step) > 0
    seen = np.minimum(stage[after] + 1, curve.shape[1])
    return _mean(np.cumsum(curve[after], axis=1)[np.arange(len(seen)), seen - 1] / seen)


def all_metrics(
    curve: np.ndarray,
    step: np.ndarray,
    stage: np.ndarray,
    full: np.ndarray,
    subset: np.ndarray | None = None,
) -> tuple[dict[str, float], np.ndarray]:
    """Return the metrics of one finished run by name, and the diagonal R[j,j] `[tasks]`.

    What needs another run is NaN here (see `relative_metrics`). R is made of the points that end a stage.

    Args:
        curve: oriented scores at all evaluation points, `[points, tasks]`.
        step, stage, full: of every point, as in `RunResult`.
        subset: oriented scores of the full points on the samples that all other points have, `[ends, tasks]`;
            None where they are evaluated on these samples alone.

    Raises:
        ValueError: the stages that ended are not as many as the tasks.
    """
    matrix = curve[full & (step > 0)]
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"A finished run must have as many stage ends as tasks; got {matrix.shape[0]} stage ends and "
            f"{matrix.shape[1]} tasks. Mark the points that end a stage in RunResult.full."
        )
    initial = curve[0]
    if subset is not None:
        curve = curve.copy()
        curve[full] = subset
    values = {"matrix": matrix, "initial": initial, "curve": curve, "stage": stage, "step": step}
    values["gaps"] = gaps(curve, stage, step)
    return {name: item.of(values) for name, item in METRICS.items()}, np.diagonal(matrix).copy()


def relative_metrics(diagonal: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """Return the metrics that compare a run with the reference run, given R[j,j] `[tasks]` of both."""
    values = {"diagonal": np.asarray(diagonal), "reference": np.asarray(reference)}
    return {name: item.of(values) for name, item in METRICS.items() if item.needs_reference}
