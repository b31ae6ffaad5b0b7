"""Vectors of floats as LLVM has them: what the kernels need that plain numba has no word for.

Places in memory are addresses in bytes; strides count floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

from clbench.kernels.compiler import intrinsic

_FEATURES = llvm.get_host_cpu_features()

WIDTH = 16 if _FEATURES.get("avx512f") else 8 if _FEATURES.get("avx2") else 4
"""Floats of a vector of this processor: AVX-512, AVX2, else NEON or SSE."""

REGISTERS = 16 if WIDTH == 8 else 32
"""Vectors that the processor can hold at once."""

FLOAT, INT = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, WIDTH)


def whole(count: int) -> int:
    """Return a count rounded up to whole vectors."""
    return (count + WIDTH - 1) // WIDTH * WIDTH


def number(value: int) -> Any:
    """Return an integer constant."""
    return ir.Constant(INT, value)


def zeros() -> Any:
    """Return a vector of zeros."""
    return ir.Constant(VECTOR, [0.0] * WIDTH)


def at(builder: Any, address: Any, floats: Any) -> Any:
    """Return the address so many floats after another."""
    return builder.add(address, builder.mul(floats, number(4)))


def read_float(builder: Any, address: Any) -> Any:
    """Return the float at an address."""
    return builder.load(builder.inttoptr(address, FLOAT.as_pointer()))


def read(builder: Any, address: Any) -> Any:
    """Return the vector that begins at an address."""
    return builder.load(builder.inttoptr(address, VECTOR.as_pointer()), align=4)


def write(builder: Any, vector: Any, address: Any) -> None:
    """Write a vector to where it begins."""
    builder.store(vector, builder.inttoptr(address, VECTOR.as_pointer()), align=4)


def spread(builder: Any, value: Any) -> Any:
    """Return a vector that holds one float in all its places."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return shuffle(builder, first, nothing, [0] * WIDTH)


def shuffle(builder: Any, one: Any, other: Any, places: Sequence[int]) -> Any:
    """Return the vector of the given places of two vectors, one after the other."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(one, other, order)


def call(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Return what an LLVM function gives."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def fused(builder: Any, one: Any, other: Any, added: Any) -> Any:
    """Return one · other + added, rounded once."""
    return call(builder, f"llvm.fma.v{WIDTH}f32", VECTOR, [one, other, added])


def first_places(builder: Any, count: Any) -> Any:
    """Return the mask of the first places of a vector."""
    kind = ir.VectorType(INT, WIDTH)
    whole = builder.insert_element(ir.Constant(kind, ir.Undefined), count, ir.Constant(ir.IntType(32), 0))
    whole = shuffle(builder, whole, ir.Constant(kind, ir.Undefined), [0] * WIDTH)
    return builder.icmp_signed("<", ir.Constant(kind, list(range(WIDTH))), whole)


def read_masked(builder: Any, address: Any, mask: Any) -> Any:
    """Return the vector that begins at an address, 0 where the mask has it left out."""
    pointer = builder.inttoptr(address, VECTOR.as_pointer())
    arguments = [pointer, ir.Constant(ir.IntType(32), 4), mask, zeros()]
    return call(builder, f"llvm.masked.load.v{WIDTH}f32.p0", VECTOR, arguments)


def write_masked(builder: Any, vector: Any, address: Any, mask: Any) -> None:
    """Write the places of a vector that the mask names."""
    pointer = builder.inttoptr(address, VECTOR.as_pointer())
    arguments = [vector, pointer, ir.Constant(ir.IntType(32), 4), mask]
    call(builder, f"llvm.masked.store.v{WIDTH}f32.p0", ir.VoidType(), arguments)


@intrinsic
def transpose_tile(typing, source, source_row, out, out_row):
    """Write the transpose of `WIDTH` × `WIDTH` floats: neighbours are exchanged, then pairs, then fours …"""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, source_row, out, out_row = arguments
        rows = [
            read(builder, at(builder, source, builder.mul(source_row, number(index))))
            for index in range(WIDTH)
        ]
        apart = 1
        while apart < WIDTH:
            low = [place if not place & apart else WIDTH + place - apart for place in range(WIDTH)]
            high = [place + apart if not place & apart else WIDTH + place for place in range(WIDTH)]
            for index in range(WIDTH):
                if not index & apart:
                    one, other = rows[index], rows[index + apart]
                    rows[index] = shuffle(builder, one, other, low)
                    rows[index + apart] = shuffle(builder, one, other, high)
            apart *= 2
        for index, row in enumerate(rows):
            write(builder, row, at(builder, out, builder.mul(out_row, number(index))))
        return context.get_dummy_value()

    return types.void(source, source_row, out, out_row), generate


@intrinsic
def sum_floats(typing, source, count):
    """Return the sum of `count` floats: place by place of whole vectors, then of halves, quarters …"""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, count = arguments
        total = cgutils.alloca_once_value(builder, zeros())
        builder.store(zeros(), total)
        whole = builder.udiv(count, number(WIDTH))
        with cgutils.for_range(builder, whole) as loop:
            part = read(builder, at(builder, source, builder.mul(loop.index, number(WIDTH))))
            builder.store(builder.fadd(builder.load(total), part), total)
        done = builder.mul(whole, number(WIDTH))
        rest = read_masked(
            builder, at(builder, source, done), first_places(builder, builder.sub(count, done))
        )
        found, half = builder.fadd(builder.load(total), rest), WIDTH // 2
        while half:
            other = shuffle(builder, found, found, [(place + half) % WIDTH for place in range(WIDTH)])
            found, half = builder.fadd(found, other), half // 2
        return builder.extract_element(found, ir.Constant(ir.IntType(32), 0))

    return types.float32(source, count), generate
