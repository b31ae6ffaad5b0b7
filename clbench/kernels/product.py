"""The matrix product: tiles of the result stay in registers while the inner dimension runs by.

A tile of R rows and two vectors of columns takes per inner step two vectors of the right factor and R single
floats of the left one, each spread over a vector, for 2R fused multiply-adds. The inner dimension runs from
its first to its last entry for every entry of the result, whatever the shape, the tile or the number of
threads: an entry has the same bits in any of them.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types

from clbench.kernels.compiler import inline, intrinsic, kernel
from clbench.kernels.memory import floats
from clbench.kernels.vectors import (
    INT,
    REGISTERS,
    VECTOR,
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

INNER = 3072 // WIDTH
"""Inner steps that are taken at a time: so much of the right factor stays in the nearest cache."""

PACKS, NEAR = 4, 4096
"""From how many tiles of rows on, and for more than how many floats of the right factor, its panels are
copied first: rows that are far apart fall into few sets of the nearest cache and drive each other out."""

ZERO, BIAS, OUT = 0, 1, 2
"""What a product is added to: nothing, one number a row, or what stands in the result."""


def _tile(rows: int, vectors: int) -> Any:
    """Return the function for a tile; one vector wide it takes any number of columns up to that."""

    @intrinsic
    def tile(
        typing,
        left, left_row, left_column, right, right_row, out, out_row, inner, columns, begin, bias, relu,
    ):  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (left, left_row, left_column, right, right_row,
             out, out_row, inner, columns, begin, bias, relu) = arguments  # fmt: skip
            mask = first_places(builder, columns) if vectors == 1 else None

            def fetch(address: Any) -> Any:
                return read(builder, address) if mask is None else read_masked(builder, address, mask)

            def vectors_at(address: Any) -> list[Any]:
                return [at(builder, address, number(WIDTH * part)) for part in range(vectors)]

            outs = [vectors_at(at(builder, out, builder.mul(out_row, number(row)))) for row in range(rows)]
            sums = [
                [cgutils.alloca_once_value(builder, zeros()) for _ in range(vectors)] for _ in range(rows)
            ]
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

        kinds = (
            left,
            left_row,
            left_column,
            right,
            right_row,
            out,
            out_row,
            inner,
            columns,
            begin,
            bias,
            relu,
        )
        return types.void(*kinds), generate

    return tile


@intrinsic
def _panel(typing):
    """Return the address of room for a panel of the right factor, which lasts until the kernel returns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = cgutils.alloca_once(builder, VECTOR, size=2 * INNER)
        return builder.ptrtoint(place, INT)

    return types.int64(), generate


@inline
def _pack(inner, right, right_row, panel):
    """Copy two vectors of columns of the right factor to where its rows follow each other."""
    for step in range(inner):
        given, found = (
            floats(right + 4 * step * right_row, 2 * WIDTH),
            floats(panel + 8 * WIDTH * step, 2 * WIDTH),
        )
        for place in range(2 * WIDTH):
            found[place] = given[place]


_TILES = [[_tile(rows, vectors) for rows in (ROWS, 4, 2, 1)] for vectors in (2, 1)]
(_large, _middle, _pair, _row), (_large_edge, _middle_edge, _pair_edge, _row_edge) = _TILES


@inline
def _multiply_rows(rows, columns, left, right, right_row, out, how):
    """Write a tile of at most two vectors of columns, and return how many rows it has."""
    if columns == 2 * WIDTH:
        whole = (*left, right, right_row, *out, columns, *how)
        if rows >= ROWS:
            _large(*whole)
        elif rows >= 4:
            _middle(*whole)
        elif rows >= 2:
            _pair(*whole)
        else:
            _row(*whole)
    else:
        start, out_row, inner = out
        for column in range(0, columns, WIDTH):
            edge = (
                *left,
                right + 4 * column,
                right_row,
                start + 4 * column,
                out_row,
                inner,
                columns - column,
                *how,
            )
            if rows >= ROWS:
                _large_edge(*edge)
            elif rows >= 4:
                _middle_edge(*edge)
            elif rows >= 2:
                _pair_edge(*edge)
            else:
                _row_edge(*edge)
    return ROWS if rows >= ROWS else 4 if rows >= 4 else 2 if rows >= 2 else 1


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
    panel, packs = _panel(), rows >= PACKS * ROWS and min(inner, INNER) * right_row > NEAR
    for done in range(0, max(inner, 1), INNER):
        part, last = min(inner - done, INNER), done + INNER >= inner
        begins, positive = OUT if done else begin, relu if last else 0
        for column in range(0, columns, 2 * WIDTH):
            row, factor, factor_row = 0, right + 4 * (done * right_row + column), right_row
            if packs and columns - column >= 2 * WIDTH:
                _pack(part, factor, right_row, panel)
                factor, factor_row = panel, 2 * WIDTH
            while row < rows:
                place = (left + 4 * (row * left_row + done * left_column), left_row, left_column)
                tile = (out + 4 * (row * out_row + column), out_row, part)
                how = (begins, bias + 4 * row, positive)
                row += _multiply_rows(
                    rows - row, min(columns - column, 2 * WIDTH), place, factor, factor_row, tile, how
                )
