"""clbench's product again and again in machine code, so that calls from Python are not timed."""

from __future__ import annotations

import numba
import numpy as np

from clbench.kernels.compiler import prepare
from clbench.kernels.product import ZERO, multiply


@numba.njit(nogil=True)
def _loop(times, rows, columns, inner, left, left_row, left_column, right, out):  # noqa: ANN001, ANN202
    for _ in range(times):
        multiply(
            rows, columns, inner, left, left_row, left_column, right, columns, out, columns, ZERO, 0, 0
        )  # fmt: skip


def repeat(times: int, left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """Write `left` [rows, inner] · `right` [inner, columns] into `out` so many times.

    Args:
        times: how often.
        left: float32, transposed or not.
        right, out: float32, row after row.
    """
    prepare()
    (rows, inner), columns = left.shape, right.shape[1]
    strides = (step // left.itemsize for step in left.strides)
    _loop(times, rows, columns, inner, left.ctypes.data, *strides, right.ctypes.data, out.ctypes.data)
