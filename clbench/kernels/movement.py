"""Floats brought to where the kernels need them: transposed, gathered."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import inline, kernel
from clbench.kernels.memory import floats, integers
from clbench.kernels.vectors import WIDTH, transpose_tile, whole

whole_vectors = inline(whole)


@kernel
def transpose(rows: int, columns: int, source: int, source_row: int, out: int, out_row: int) -> None:
    """Write the transpose of `source` [rows, columns] into `out` [columns, rows].

    Both are read and written in tiles: rows and columns are rounded up to whole vectors, and the memory there
    must be the caller's.
    """
    for row in range(0, rows, WIDTH):
        for column in range(0, columns, WIDTH):
            transpose_tile(
                source + 4 * (row * source_row + column), source_row,
                out + 4 * (column * out_row + row), out_row,
            )  # fmt: skip


@kernel
def gather(
    count: int, features: int, addresses: int, pool: int, inputs: int, orders: int, out: int, out_row: int
) -> None:
    """Copy samples' inputs, as their tasks see them.

    Args:
        count: samples.
        features: of a sample.
        addresses: address of the samples' addresses, `task · pool + sample`, int64 `[count]`.
        pool: samples of the stream.
        inputs: address of the stream's inputs `[pool, features]`.
        orders: address of the features' order by task, int64 `[task, features]`; 0: as they are.
        out: address of the copies, `out_row` floats apart.
    """
    address = integers(addresses, count)
    for place in range(count):
        task = address[place] // pool
        given = floats(inputs + 4 * (address[place] - task * pool) * features, features)
        found = floats(out + 4 * place * out_row, features)
        if orders:
            order = integers(orders + 8 * task * features, features)
            for feature in range(features):
                found[feature] = given[np.uint64(order[feature])]
        else:
            for feature in range(features):
                found[feature] = given[feature]
