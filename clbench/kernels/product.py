"""The matrix product: tiles of the result stay in registers while the inner dimension runs by.

A tile of R rows and two vectors of columns takes per inner step two vectors of the right factor and R single
floats of the left one, each spread over a vector, for 2R fused multiply-adds. The inner dimension runs from
its first to its last entry for every entry of the result, whatever the shape, the tile or the number of
threads: an entry has the same bits in any of them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from clbench.kernels.compiler import kernel
from clbench.kernels.vectors import (
    REGISTERS,
    WIDTH,
    at,
    first_places,
    fused,
    number,
    read,
    read_float,
    read_masked,
    spread,
    write,
    write_masked,
    zeros,
)

ROWS = 6 if REGISTERS == 16 else 8
"""Rows of the largest tile: with two vectors a row they leave room for the factors."""

INNER = 400
"""Entries of the inner dimension that are gone through at a time: the right factor's stay in the nearest cache."""

ZERO, BIAS, OUT = 0, 1, 2
"""What a product is added to: nothing, one number a row, or what stands in the result."""


def _tile(rows: int, vectors: int) -> Any:
    """Return the function that takes the product for a tile; one vector wide it takes any number of columns."""

    @intrinsic
    def tile(  # noqa: ANN202
        typing,  # noqa: ANN001
        left, left_row, left_column, right, right_row, out, out_row, inner, columns, begin, bias, relu,  # noqa: ANN001
    ):  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (left, left_row, left_column, right, right_row,
             out, out_row, inner, columns, begin, bias, relu) = arguments  # fmt: skip
            mask = first_places(builder, columns) if vectors == 1 else None

            def fetch(address: Any) -> Any:
                return read(builder, address) if mask is None else read_masked(builder, address, mask)

            def vectors_at(address: Any) -> list[Any]:
                return [at(builder, address, number(WIDTH * part)) for part in range(vectors)]

            outs = [
                vectors_at(at(builder, out, builder.mul(out_row, number(row)))) for row in range(rows)
            ]
            sums = [[cgutils.alloca_once_value(builder, zeros()) for _ in range(vectors)] for _ in range(rows)]
            for each in (each for row in sums for each in row):
                builder.store(zeros(), each)
            with builder.if_then(builder.icmp_signed("==", begin, number(BIAS))):
                for row in range(rows):
                    value = spread(builder, read_float(builder, at(builder, bias, number(row))))
                    for each in sums[row]:
                        builder.store(value, each)
            with builder.if_then(builder.icmp_signed("==", begin, number(OUT))):
                for row in range(rows):
                    for each, address in zip(sums[row], outs[row], strict=True):
                        builder.store(fetch(address), each)
            lefts = [at(builder, left, builder.mul(left_row, number(row))) for row in range(rows)]
            with cgutils.for_range(builder, inner) as loop:
                factors = [
                    fetch(address)
                    for address in vectors_at(at(builder, right, builder.mul(loop.index, right_row)))
                ]
                column = builder.mul(loop.index, left_column)
                for row in range(rows):
                    value = spread(builder, read_float(builder, at(builder, lefts[row], column)))
                    for each, factor in zip(sums[row], factors, strict=True):
                        builder.store(fused(builder, value, factor, builder.load(each)), each)
            with builder.if_then(builder.icmp_signed("!=", relu, number(0))):
                for each in (each for row in sums for each in row):
                    found = builder.load(each)
                    negative = builder.fcmp_ordered("<", found, zeros())  # NaN is not
                    builder.store(builder.select(negative, zeros(), found), each)
            for row in range(rows):
                for each, address in zip(sums[row], outs[row], strict=True):
                    if mask is None:
                        write(builder, builder.load(each), address)
                    else:
                        write_masked(builder, builder.load(each), address, mask)
            return context.get_dummy_value()

        kinds = (left, left_row, left_column, right, right_row, out, out_row, inner, columns, begin, bias, relu)
        return types.void(*kinds), generate

    return tile


_TILES = [[_tile(rows, vectors) for rows in (ROWS, 4, 2, 1)] for vectors in (2, 1)]
(_large, _middle, _pair, _row), (_large_edge, _middle_edge, _pair_edge, _row_edge) = _TILES


@kernel
def multiply(
    rows: int, columns: int, inner: int,
    left: int, left_row: int, left_column: int, right: int, right_row: int, out: int, out_row: int,
    begin: int, bias: int, relu: int,
) -> None:  # fmt: skip
    """Write `left` [rows, inner] · `right` [inner, columns] into `out` [rows, columns].

    Args:
        rows, columns, inner: the shape.
        left, right, out: addresses. The rows of `right` and `out` are contiguous.
        left_row, right_row, out_row: floats from a row to the next.
        left_column: floats from a column to the next; with `left_row=1` the left factor is taken transposed.
        begin: what it is added to: `ZERO`, `BIAS` or `OUT`.
        bias: address of one float for each row of the result.
        relu: whether what is negative becomes 0.
    """
    done = 0
    while True:
        part = min(inner - done, INNER)
        last = done + part == inner
        start = OUT if done else begin
        positive = relu if last else 0
        for column in range(0, columns, 2 * WIDTH):
            a, b = left + 4 * done * left_column, right + 4 * (done * right_row + column)
            c, bias_at, row, count = out + 4 * column, bias, 0, min(columns - column, 2 * WIDTH)
            while row < rows:
                left_over = rows - row
                tile = ROWS if left_over >= ROWS else 4 if left_over >= 4 else 2 if left_over >= 2 else 1
                if count == 2 * WIDTH:
                    if tile == ROWS:
                        _large(a, left_row, left_column, b, right_row, c, out_row, part, count, start, bias_at, positive)
                    elif tile == 4:
                        _middle(a, left_row, left_column, b, right_row, c, out_row, part, count, start, bias_at, positive)
                    elif tile == 2:
                        _pair(a, left_row, left_column, b, right_row, c, out_row, part, count, start, bias_at, positive)
                    else:
                        _row(a, left_row, left_column, b, right_row, c, out_row, part, count, start, bias_at, positive)
                else:
                    for edge in range(0, count, WIDTH):
                        if tile == ROWS:
                            _large_edge(a, left_row, left_column, b + 4 * edge, right_row, c + 4 * edge, out_row, part, count - edge, start, bias_at, positive)
                        elif tile == 4:
                            _middle_edge(a, left_row, left_column, b + 4 * edge, right_row, c + 4 * edge, out_row, part, count - edge, start, bias_at, positive)
                        elif tile == 2:
                            _pair_edge(a, left_row, left_column, b + 4 * edge, right_row, c + 4 * edge, out_row, part, count - edge, start, bias_at, positive)
                        else:
                            _row_edge(a, left_row, left_column, b + 4 * edge, right_row, c + 4 * edge, out_row, part, count - edge, start, bias_at, positive)
                a, c, bias_at, row = a + 4 * tile * left_row, c + 4 * tile * out_row, bias_at + 4 * tile, row + tile
        done += part
        if last:
            break
