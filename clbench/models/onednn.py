"""oneDNN's matrix product, where it is faster than the one behind torch's own.

torch takes products in float32 by MKL, which leaves AVX-512 unused on processors that are not Intel's.
oneDNN, which comes with torch as well, uses it there, and large products take half of the time. What torch
offers of it works on one lane at a time, so that a lane has the same bits in any company.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Linear = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""x [n, in], W [out, in], b [out] or None → x Wᵀ + b in fresh memory."""


@cache
def faster_linear() -> Linear | None:
    """Return oneDNN's x Wᵀ + b in float32 where it is faster than MKL's on this machine, else None."""
    backends, capabilities = torch.backends, getattr(torch.cpu, "get_capabilities", dict)()
    if not (
        backends.mkl.is_available()
        and backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and capabilities.get("avx512_f", False)
        and "AMD" in capabilities.get("cpu_name", "")
    ):
        return None
    return onednn_linear


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x Wᵀ + b by oneDNN; see `Linear`."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found
