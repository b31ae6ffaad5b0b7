"""Whether two runs have the same bits."""

from __future__ import annotations

import numpy as np

from clbench.engine import RunResult


def same_outcome(left: RunResult, right: RunResult, points: np.ndarray | None = None) -> None:
    """Assert that losses and scores have the same bits, at the given points or at all."""
    chosen = slice(None) if points is None else points
    assert np.array_equal(left.loss[chosen], right.loss[chosen], equal_nan=True), "the losses differ"
    for name, values in left.score.items():
        same = np.array_equal(values[chosen], right.score[name][chosen], equal_nan=True)
        assert same, f"{name} differs"


def same_records(left: RunResult, right: RunResult) -> None:
    """Assert that all that is recorded has the same bits."""
    assert left.status == right.status, f"one is {left.status}, the other {right.status}"
    assert np.array_equal(left.step, right.step), "the points differ"
    same_outcome(left, right)
    for name, values in left.training.items():
        assert np.array_equal(values, right.training[name], equal_nan=True), f"the column {name} differs"
