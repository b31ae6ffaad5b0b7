"""The matrix product of lanes: by our kernel where they are float32 on the CPU, else by torch."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.kernels.lanes import multiply_lanes
from clbench.kernels.product import OUT, ZERO


def takes_kernels(tensor: Tensor) -> bool:
    """Tell whether our kernels take the tensor."""
    return tensor.device.type == "cpu" and tensor.dtype is torch.float32


def multiply(left: Tensor, right: Tensor, out: Tensor, add: bool = False) -> None:
    """Write `left right` into `out`, or add it to what stands there; a lane's bits depend on nothing else.

    Args:
        left: `[lane, rows, inner]` with any strides.
        right, out: `[lane, inner, columns]`, `[lane, rows, columns]`, whose rows are contiguous.
        add: whether what stands in `out` stays.
    """
    if takes_kernels(out):
        assert right.shape[2] == 1 or (right.stride(2), out.stride(2)) == (1, 1), "rows must be contiguous"
        lanes, rows, inner = left.shape
        multiply_lanes.python(
            lanes, rows, right.shape[2], inner,
            left.data_ptr(), *left.stride(),
            right.data_ptr(), *right.stride()[:2],
            out.data_ptr(), *out.stride()[:2], OUT if add else ZERO,
        )  # fmt: skip
    elif add:
        out.baddbmm_(left, right)
    else:
        torch.bmm(left, right, out=out)
