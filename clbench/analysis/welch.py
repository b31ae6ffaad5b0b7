"""A printed mean against ours: Welch's interval and p of the difference, with the rounding of print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clbench.analysis.statistics import LEVEL


@dataclass(frozen=True)
class Difference:
    """Ours − theirs, with what is unknown about it.

    Args:
        value: d, of the means.
        error: √(s²/n + s'²/n'), its standard error.
        freedom: Welch's degrees of freedom.
        rounding: u, half a unit of the last printed digit.
    """

    value: float
    error: float
    freedom: float
    rounding: float

    @property
    def allowed(self) -> float:
        """How far the means may lie apart, t · error + u: half the width of the 95 % interval of d."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, (1 + LEVEL) / 2) * self.error + self.rounding)

    @property
    def p(self) -> float:
        """Two-sided p of «the means are equal», for the unrounded mean of theirs that is nearest to ours.

        That of t = max(|d| − u, 0) / error; so p < .05 exactly where |d| is above what is allowed.
        """
        from scipy.special import stdtr

        excess = max(abs(self.value) - self.rounding, 0.0)
        if excess == 0 or self.error == 0:
            return float(excess == 0)
        return float(2 * stdtr(self.freedom, -excess / self.error))


def welch(values: np.ndarray, mean: float, error: float, n: int, digits: int) -> Difference:
    """Return the difference of our values' mean from a printed one.

    With v = s²/n of ours and v' of theirs the degrees of freedom are (v + v')² / (v²/(n − 1) + v'²/(n' − 1)).
    Source: Welch 1947, Satterthwaite 1946; `scipy.stats.ttest_ind_from_stats` without u.

    Args:
        values: ours, one per seed, in the printed unit; two at least.
        mean: printed.
        error: its standard error, 0 where none is printed.
        n: runs of theirs.
        digits: printed after the point.
    """
    ours, theirs = float(np.var(values, ddof=1)) / len(values), error**2
    parts = ours**2 / (len(values) - 1) + theirs**2 / (n - 1)
    freedom = (ours + theirs) ** 2 / parts if parts > 0 else len(values) - 1.0
    value = float(np.mean(values)) - mean
    return Difference(value, float(np.sqrt(ours + theirs)), float(freedom), 0.5 * 10.0**-digits)
