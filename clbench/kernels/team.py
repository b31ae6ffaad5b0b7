"""Several threads at one lane: each takes its rows, and waits for the others where they need them."""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from clbench.kernels.compiler import inline, intrinsic, kernel
from clbench.kernels.vectors import INT, number

PATIENCE = 2000
"""How often a thread looks whether the others are there before it lets another thread have its core."""


@intrinsic
def _arrive(typing, meeting):
    """Add 1 to the number at `meeting` and return what it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], INT.as_pointer())
        return builder.atomic_rmw("add", place, number(1), "acq_rel")

    return types.int64(meeting), generate


@intrinsic
def _arrived(typing, meeting):
    """Return the number at `meeting`, as other threads have left it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], INT.as_pointer())
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(meeting), generate


@intrinsic
def _give_way(typing):
    """Let another thread have the core."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name, kind = ("SwitchToThread" if sys.platform == "win32" else "sched_yield"), ir.IntType(32)
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, []), name)
        builder.call(function, [])
        return ir.Constant(INT, 0)

    return types.int64(), generate


@kernel
def meet(meeting: int, size: int) -> None:
    """Wait until all threads of a team are here.

    Args:
        meeting: address of an int64 that counts arrivals, from 0.
        size: of the team.
    """
    if size > 1:
        before = _arrive(meeting)
        enough = (before // size + 1) * size
        looked = 0
        while _arrived(meeting) < enough:
            looked += 1
            if looked > PATIENCE:
                _give_way()


@inline
def share(count, member, size, unit):
    """Return from where to where a member's part of `count` things reaches, in whole units."""
    units = (count + unit - 1) // unit
    return min(units * member // size * unit, count), min(units * (member + 1) // size * unit, count)
