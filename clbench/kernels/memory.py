"""Memory as arrays, inside kernels: by address and count."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.np.numpy_support import carray

from clbench.kernels.compiler import inline, intrinsic


def _pointer(kind: Any) -> Any:
    @intrinsic
    def pointer(typing, address):
        """Return the address as a pointer."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(address), generate

    return pointer


_floats, _doubles, _integers = (_pointer(kind) for kind in (types.float32, types.float64, types.int64))


@inline
def floats(address, count):
    """Return float32 `[count]`."""
    return carray(_floats(address), count)


@inline
def doubles(address, count):
    """Return float64 `[count]`."""
    return carray(_doubles(address), count)


@inline
def integers(address, count):
    """Return int64 `[count]`."""
    return carray(_integers(address), count)
