"""Hand-made runs: results whose every number a test can work out, without any training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clbench.engine.results import TRAINING_COLUMNS, RunResult
from clbench.runs import Run
from clbench.strategies import Cumulative, Joint, Naive
from clbench.strategies.base import Strategy

BOUNDS = {"naive": Naive, "joint": Joint, "cumulative": Cumulative}
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ToyStream:
    """A stream by name and number of tasks."""

    tasks: int = 2
    scenario: str = "class"


@dataclass(frozen=True)
class ToyModel:
    """A model by its width."""

    hidden: tuple[int, ...] = (8,)


@dataclass(frozen=True)
class Plain(Strategy):
    """A strategy without λ."""


@dataclass(frozen=True)
class Penalised(Strategy):
    """A strategy with λ and a choice of its own."""

    lam: float = 1.0
    distance: str = "l2"


@dataclass(frozen=True)
class ToyOptimizer:
    """An optimiser by its learning rate."""

    lr: float = 0.1


def make_run(strategy="naive", lam=None, seed=0, stream="toy", kind=None, **parts) -> Run:
    """Return a run; `distance=` goes to the strategy, `hidden=` to the model, the rest to the stream.

    Without λ the strategy's class is the one of `BOUNDS` called `kind`, by default as the strategy, or Plain.
    """
    own = {"distance": parts.pop("distance")} if "distance" in parts else {}
    chosen = BOUNDS.get(kind or strategy, Plain)() if lam is None else Penalised(lam=lam, **own)
    model = ToyModel(parts.pop("hidden")) if "hidden" in parts else ToyModel()
    optimizer = ToyOptimizer(parts.pop("lr")) if "lr" in parts else ToyOptimizer()
    labels = {"strategy": strategy, "stream": stream}
    return Run(ToyStream(**parts), model, chosen, optimizer, seed=seed, labels=labels)


@dataclass
class Outcome:
    """What a run shall have measured.

    Args:
        matrix: scores (or losses) after every stage, `[stages, tasks]`, on all splits.
        initial: the same at step 0, `[tasks]`.
        dip: what is added to the tasks already learned one step after a switch.
        split_shift: added to a split's values.
        training: values of columns of `training.csv`, constant or `[points]`.
    """

    matrix: list[list[float]]
    initial: list[float]
    dip: float = 0.0
    split_shift: dict[str, float] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)
    score: str | None = "accuracy"
    steps_per_stage: int = 10
    status: str = "done"
    diverged_after: int | None = None


def make_result(outcome: Outcome) -> RunResult:
    """Return the result: points at step 0, one and five steps into every stage, and at its end.

    With a score, the loss is 1 − score; without, the matrix holds the losses. Inside a stage a task's value
    goes half of the way from one end to the other.
    """
    matrix = np.asarray(outcome.matrix, dtype=float)
    stages, tasks = matrix.shape
    values, step, stage, full = [np.asarray(outcome.initial, dtype=float)], [0], [0], [True]
    for index in range(stages):
        before, after, start = values[-1], matrix[index], index * outcome.steps_per_stage
        first = before.copy()
        first[:index] += outcome.dip
        for value, offset in ((first, 1), ((before + after) / 2, 5), (after, outcome.steps_per_stage)):
            values.append(value)
            step.append(start + offset)
            stage.append(index)
            full.append(offset == outcome.steps_per_stage)
    curve = np.stack(values)[:, :, None] + np.array([outcome.split_shift.get(name, 0.0) for name in SPLITS])
    loss, score = (curve, {}) if outcome.score is None else (1 - curve, {outcome.score: curve})
    points = len(step)
    training = {name: np.full(points - 1, np.nan) for name in TRAINING_COLUMNS}
    defaults = {"task_loss": 1.0, "penalty": 0.0, "grad_norm": 1.0, "penalty_grad_norm": 0.0}
    for name, value in (defaults | outcome.training).items():
        training[name] = np.broadcast_to(np.asarray(value, dtype=float), (points - 1,)).copy()
    names = ("A", "B") if tasks == 2 else tuple(str(index) for index in range(tasks))
    return RunResult(
        status=outcome.status,
        tasks=names,
        splits=SPLITS,
        scores=tuple(score),
        step=np.array(step),
        stage=np.array(stage),
        full=np.array(full),
        loss=loss,
        score=score,
        training=training,
        steps=step[-1],
        samples=step[-1] * 32,
        seconds=0.5,
        diverged_after=outcome.diverged_after,
        program={"threads": 1},
        execution={"threads": 1},
    )
