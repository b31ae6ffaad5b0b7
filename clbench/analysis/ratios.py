"""The ratio of two means over the same seeds, with Fieller's interval."""

from __future__ import annotations

import numpy as np

from clbench.analysis.statistics import LEVEL, t_interval


def ratio_interval(above: np.ndarray, below: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """Return Fieller's interval of ρ = μ_above / μ_below; None where it is unbounded or `below` may be 0.

    It holds the ρ for which 0 lies in the t interval of the mean of above − ρ · below: with means a and b,
    squared standard errors v_aa and v_bb, their covariance v_ab and t = t_{n−1, (1+level)/2}, the roots of
    (b² − t² v_bb) ρ² − 2 (a b − t² v_ab) ρ + (a² − t² v_aa) = 0. So ρ = f is out of it exactly where the
    paired difference above − f · below says so, with the same coverage. It is bounded where b differs from 0
    by its own interval. Source: Fieller 1954.

    Args:
        above, below: `[seeds]`, paired.
        level: of the interval.
    """
    low, _ = t_interval(below, level)
    if not low > 0:
        return None
    from scipy.special import stdtrit

    count = len(above)
    covariance = np.cov(above, below) / count
    square = stdtrit(count - 1, (1 + level) / 2) ** 2
    a, b = above.mean(), below.mean()
    second = b * b - square * covariance[1, 1]
    first = a * b - square * covariance[0, 1]
    none = a * a - square * covariance[0, 0]
    reach = np.sqrt(max(first * first - second * none, 0.0))
    return float((first - reach) / second), float((first + reach) / second)
