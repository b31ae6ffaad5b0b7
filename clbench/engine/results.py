"""What training a run leaves behind: arrays on the host, no torch, ready to be recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clbench.digests import RunFiles

TRAINING_COLUMNS = ("task_loss", "penalty", "grad_norm", "penalty_grad_norm", "anchor_distance")


@dataclass(frozen=True)
class LearnedFunction:
    """What a one-input one-output regression learned, and the data it saw.

    Args:
        x: grid `[points]`.
        predictions: `[stages, points]`, after every stage.
        samples: per task name and split, the arrays `(x, y)`.
    """

    x: np.ndarray
    predictions: np.ndarray
    samples: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run.

    Args:
        status: `done`, `diverged` or `failed`.
        tasks, splits, scores: names along the axes below.
        step, stage: of every evaluation point, `[points]`; stage k trains task k, step 0 is before any
            training and belongs to stage 0.
        full: whether the point ends a stage (or is step 0), `[points]`.
        loss: `[points, tasks, splits]`, NaN where a split is empty; never with the penalty.
        score: per score name, `[points, tasks, splits]`.
        subset: `loss` and the scores by name at the points that are `full`, `[ends, tasks, splits]`, on the
            fixed subsets that the other points have; empty where nothing else was evaluated.
        training: the columns of `TRAINING_COLUMNS` at the evaluation points with step > 0, `[points - 1]`:
            the batch's task loss, the penalty, the norms of the task gradient and of the penalty's
            gradient, and ‖θ − θ*‖ (NaN where there is no anchor).
        steps, samples: gradient steps taken and samples seen by this run in all stages.
        seconds: this run's share of the time its programs took.
        trained_here: stages this run was charged with (a shared stage is charged to one run).
        diverged_after: last step at which all was finite, for `diverged`; None where it never was.
        message: what went wrong, for `failed` and `diverged`.
        function: for one-dimensional regression.
    """

    status: str
    tasks: tuple[str, ...]
    splits: tuple[str, ...]
    scores: tuple[str, ...]
    step: np.ndarray
    stage: np.ndarray
    full: np.ndarray
    loss: np.ndarray
    score: dict[str, np.ndarray]
    training: dict[str, np.ndarray]
    steps: int
    samples: int
    seconds: float
    trained_here: int = 0
    diverged_after: int | None = None
    message: str | None = None
    function: LearnedFunction | None = None
    subset: dict[str, np.ndarray] = field(default_factory=dict)
    program: dict[str, object] = field(default_factory=dict)
    """How it was trained: lanes of its largest program, threads, bytes that the process took at most."""
    execution: dict[str, object] = field(default_factory=dict)
    """How the machine was used (see `clbench.execution`), with the cores that were used as `threads`."""
    files: RunFiles = field(default_factory=dict)
    """Digests of the user's files that shaped it (see `clbench.ingredients`)."""
