"""Features as (x − mean) / std, with a rule for what is constant."""

from __future__ import annotations

import numpy as np

ROUNDINGS = 8
"""So many units in the last place are no variation: half of one by storing a number, the rest by adding."""
WHOLE = 2**24
"""Below it float32 holds whole numbers exactly."""


def standardise(values: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (x − mean) / std over the rows `train`, and which columns are constant there and only centred.

    The standard deviation has the divisor n. A column is constant where it varies by no more than the
    rounding of its numbers (see `is_constant`).

    Args:
        values: float64 `[rows, columns]`.
        train: indices of the rows that count.

    Returns:
        float64 `[rows, columns]` and bool `[columns]`.
    """
    chosen = values[train]
    constant = np.array([is_constant(column) for column in chosen.T], dtype=bool)
    deviation = np.where(constant, 1.0, chosen.std(axis=0))
    return (values - chosen.mean(axis=0)) / deviation, constant


def is_constant(column: np.ndarray) -> bool:
    """Tell whether a column's deviation is at most `ROUNDINGS` units in the last place of its largest number.

    The unit is float64's, 2.2e-16 of the number, and float32's, 1.2e-7, where all numbers are such as
    float32 has written: exactly so, or as the shortest decimal, and not all whole below `WHOLE`.

    Args:
        column: float64 `[rows]`.
    """
    deviation, size = column.std(), np.abs(column).max()
    if deviation <= ROUNDINGS * np.finfo(np.float64).eps * size:
        return True
    if deviation > ROUNDINGS * np.finfo(np.float32).eps * size:
        return False
    if size < WHOLE and (column == np.rint(column)).all():
        return False
    single = column.astype(np.float32)
    return bool(((single == column) | (single.astype(str).astype(np.float64) == column)).all())
