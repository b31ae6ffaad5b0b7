"""The processor's multiply-add rate: a kernel that does nothing but fused multiply-adds, in registers.

Every accumulator is a vector a ← a · factor + added. They are independent, and more than a multiply-add's
latency times the units that take them, so that the units are all that it waits for.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_FEATURES = llvm.get_host_cpu_features()

WIDTH = 16 if _FEATURES.get("avx512f") else 8 if _FEATURES.get("avx2") else 4
"""Floats of a vector: AVX-512, AVX2, else NEON or SSE."""

ACCUMULATORS = 12 if WIDTH == 8 else 24
"""Vectors in flight; AVX2 has 16 registers, two of them for the factors, the others 32."""

ROUND = ACCUMULATORS * WIDTH
"""Multiply-adds of one round of `multiply_add`."""


@intrinsic
def _rounds(typing, count, factor, added):  # noqa: ANN001, ANN202
    """Return the sum of all accumulators after so many rounds, which begin at 0."""
    vector = ir.VectorType(ir.FloatType(), WIDTH)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count, *scalars = arguments
        factor, added = (_spread(builder, vector, scalar) for scalar in scalars)
        kind = ir.FunctionType(vector, [vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f32")
        zeros = ir.Constant(vector, [0.0] * WIDTH)
        places = [cgutils.alloca_once_value(builder, zeros) for _ in range(ACCUMULATORS)]
        with cgutils.for_range(builder, count):
            for place in places:
                builder.store(builder.call(fused, [builder.load(place), factor, added]), place)
        total = builder.load(places[0])
        for place in places[1:]:
            total = builder.fadd(total, builder.load(place))
        found = ir.Constant(ir.FloatType(), 0.0)
        for index in range(WIDTH):
            entry = builder.extract_element(total, ir.Constant(ir.IntType(32), index))
            found = builder.fadd(found, entry)
        return found

    return types.float32(types.int64, types.float32, types.float32), generate


def _spread(builder: Any, vector: Any, scalar: Any) -> Any:
    nothing, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    order = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(builder.insert_element(nothing, scalar, first), nothing, order)


@numba.njit("float32(int64, float32, float32)", nogil=True)
def multiply_add(rounds: int, factor: np.float32, added: np.float32) -> np.float32:
    """Return the sum of all accumulators after so many rounds of `ROUND` multiply-adds, from 0."""
    return _rounds(rounds, factor, added)
