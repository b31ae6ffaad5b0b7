"""Memory for kernels, with guards around it: what is written or read outside of an array is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GUARD = 32
"""Items before and after an array."""

MARKS = {"f": np.nan, "i": -(2**40)}
"""What stands in guards and gaps: NaN spreads to whatever is made of it."""


class _Held(NamedTuple):
    whole: np.ndarray
    before: np.ndarray
    writable: np.ndarray


class GuardedMemory:
    """Arrays between guards, with gaps between rows that are farther apart than they are long."""

    def __init__(self) -> None:
        self._held: list[_Held] = []

    def given(self, values, row: int | None = None) -> np.ndarray:
        """Return a copy of a vector or matrix that must stay as it is, rows so many items apart."""
        return self._place(np.asarray(values), row, False)

    def wanted(self, values, row: int | None = None) -> np.ndarray:
        """Return a copy that may be written, but nothing around it nor in its gaps."""
        return self._place(np.asarray(values), row, True)

    def check(self) -> None:
        """Raise AssertionError if anything was written that should not be."""
        for held in self._held:
            now, before = (each.view(np.uint8).reshape(len(each), -1) for each in (held.whole, held.before))
            changed = (now != before).any(1) & ~held.writable
            assert not changed.any(), f"written outside, at {np.flatnonzero(changed) - GUARD}"

    def _place(self, values: np.ndarray, row: int | None, writable: bool) -> np.ndarray:
        rows = values.reshape(-1, values.shape[-1]) if values.size else values.reshape(0, 0)
        apart = row or rows.shape[1]
        size = max(len(rows) - 1, 0) * apart + rows.shape[1]
        whole = np.full(2 * GUARD + size, MARKS[values.dtype.kind], values.dtype)
        places = GUARD + apart * np.arange(len(rows))[:, None] + np.arange(rows.shape[1])
        whole[places] = rows
        open_to_writing = np.zeros(len(whole), bool)
        open_to_writing[places] = writable
        self._held.append(_Held(whole, whole.copy(), open_to_writing))
        item = whole.itemsize
        strides = tuple(item * apart if axis < values.ndim - 1 else item for axis in range(values.ndim))
        return np.lib.stride_tricks.as_strided(whole[GUARD:], values.shape, strides)


def at(array: np.ndarray | None) -> int:
    """Return an array's address, 0 for none."""
    return 0 if array is None else array.ctypes.data
