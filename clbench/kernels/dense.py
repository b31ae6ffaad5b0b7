"""A chain of dense layers, forward and backward, for one lane.

A layer is a = f(W x + b) with W `[out, in]` as it lies in θ. Activations and errors are `[feature, sample]`,
so that the vectors run along the batch in both products with W; the product for ∂W has the batch as its inner
dimension and takes the activations transposed. Rows are rounded up to whole vectors of samples; what stands
beyond the batch, NaN even, reaches neither θ nor its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clbench.kernels.activations import GELU, RELU, activate, send_through
from clbench.kernels.compiler import inline, kernel
from clbench.kernels.memory import floats, integers
from clbench.kernels.movement import transpose, whole_vectors
from clbench.kernels.product import BIAS, ROWS, ZERO, multiply
from clbench.kernels.team import meet, share
from clbench.kernels.vectors import WIDTH, sum_floats, whole

LAYERS, ACTIVATION, SAMPLES, ROOM = range(4)
"""The first row of a chain's table: how many layers; the activation after all but the last; the floats from
row to row of activations (the largest batch, in whole vectors); the floats that a lane's pass needs."""

INPUTS, OUTPUTS, WEIGHT, BIASES, LEARNS_WEIGHT, LEARNS_BIAS = range(6)
INPUT, TURNED, BEFORE, AFTER, ERRORS = range(6, 11)
"""A row for each layer: its shape; where weight and biases begin in θ (−1: no biases); whether each is
trained; where in the room its input lies as `[feature, sample]` and as `[sample, feature]`, what its
activation is given and gives, and ∂loss/∂(before)."""

COLUMNS = 11


def chain_table(layers: Sequence[Sequence[int]], activation: int, batch: int) -> np.ndarray:
    """Return the table of a chain, int64 `[1 + layers, COLUMNS]`.

    Args:
        layers: the first six columns of each, from the input on.
        activation: code of the activation.
        batch: the largest there will be.
    """
    table = np.zeros((1 + len(layers), COLUMNS), np.int64)
    samples, size = whole(batch), 0

    def take(count: int) -> int:
        nonlocal size
        size += count
        return size - count

    below = take(whole(layers[0][0]) * samples)
    for index, (row, layer) in enumerate(zip(table[1:], layers, strict=True), 1):
        rows = whole(layer[1]) * samples
        turned, before = take(samples * whole(layer[0])), take(rows)
        after = take(rows) if activation == GELU and index < len(layers) else before
        row[:] = (*layer, below, turned, before, after, take(rows))
        below = after
    table[0, :4] = len(layers), activation, samples, size
    return table


@inline
def layer_of(chain, index):
    """Return a layer's row of the table at an address."""
    return integers(chain + 8 * COLUMNS * (1 + index), COLUMNS)


@kernel
def forward(chain: int, room: int, theta: int, batch: int, member: int, size: int, meeting: int) -> None:
    """Fill all layers of a batch, whose samples stand in `TURNED` of the first layer.

    Args:
        chain, room, theta: addresses of the table, of the lane's room and of its parameters.
        batch: number of samples.
        member, size, meeting: of the team, see `team`.
    """
    head, columns = integers(chain, COLUMNS), whole_vectors(batch)
    last, samples = head[LAYERS] - 1, head[SAMPLES]
    _turn_inputs(chain, room, columns, samples, member, size)
    meet(meeting, size)
    for index in range(last + 1):
        layer = layer_of(chain, index)
        inputs, relu = layer[INPUTS], int(index < last and head[ACTIVATION] == RELU)
        start, stop = share(layer[OUTPUTS], member, size, ROWS)
        before = room + 4 * (layer[BEFORE] + start * samples)
        multiply(
            stop - start, columns, inputs,
            theta + 4 * (layer[WEIGHT] + start * inputs), inputs, 1,
            room + 4 * layer[INPUT], samples, before, samples,
            BIAS if layer[BIASES] >= 0 else ZERO, theta + 4 * (layer[BIASES] + start), relu,
        )  # fmt: skip
        if index < last:
            after = room + 4 * (layer[AFTER] + start * samples)
            if head[ACTIVATION] != RELU:
                activate(head[ACTIVATION], (stop - start) * samples, before, after)
            meet(meeting, size)
            above, width = layer_of(chain, index + 1), whole_vectors(layer[OUTPUTS])
            start, stop = share(width, member, size, WIDTH)
            after, turned = room + 4 * (layer[AFTER] + start * samples), room + 4 * (above[TURNED] + start)
            transpose(stop - start, columns, after, samples, turned, width)
    meet(meeting, size)


@inline
def _turn_inputs(chain, room, columns, samples, member, size):
    """Bring the first layer's input to `[feature, sample]`."""
    layer = layer_of(chain, 0)
    width = whole_vectors(layer[INPUTS])
    start, stop = share(width, member, size, WIDTH)
    turned = room + 4 * (layer[TURNED] + start)
    transpose(columns, stop - start, turned, width, room + 4 * (layer[INPUT] + start * samples), samples)


@kernel
def backward(
    chain: int, room: int, theta: int, gradient: int, batch: int, member: int, size: int, meeting: int
) -> None:
    """Overwrite the gradient, given the errors of the last layer; see `forward`."""
    head, columns = integers(chain, COLUMNS), whole_vectors(batch)
    samples, lowest = head[SAMPLES], _lowest_trained(chain, head[LAYERS])
    for index in range(head[LAYERS] - 1, lowest - 1, -1):
        layer = layer_of(chain, index)
        inputs, outputs, errors = layer[INPUTS], layer[OUTPUTS], room + 4 * layer[ERRORS]
        start, stop = share(outputs, member, size, ROWS)
        if layer[LEARNS_WEIGHT]:
            multiply(
                stop - start, inputs, batch,
                errors + 4 * start * samples, samples, 1,
                room + 4 * layer[TURNED], whole_vectors(inputs),
                gradient + 4 * (layer[WEIGHT] + start * inputs), inputs,
                ZERO, 0, 0,
            )  # fmt: skip
        if layer[LEARNS_BIAS]:
            slope = floats(gradient + 4 * layer[BIASES], outputs)
            for row in range(start, stop):
                slope[row] = sum_floats(errors + 4 * row * samples, batch)
        if index > lowest:
            send_below(chain, index, room, theta, columns, samples, head[ACTIVATION], member, size)
            meet(meeting, size)


@inline
def send_below(chain, index, room, theta, columns, samples, activation, member, size):
    """Write the errors of the layer below."""
    layer, below = layer_of(chain, index), layer_of(chain, index - 1)
    start, stop = share(layer[INPUTS], member, size, ROWS)
    errors = room + 4 * (below[ERRORS] + start * samples)
    multiply(
        stop - start, columns, layer[OUTPUTS],
        theta + 4 * (layer[WEIGHT] + start), 1, layer[INPUTS],
        room + 4 * layer[ERRORS], samples, errors, samples,
        ZERO, 0, 0,
    )  # fmt: skip
    before, after = room + 4 * (below[BEFORE] + start * samples), room + 4 * (below[AFTER] + start * samples)
    send_through(activation, (stop - start) * samples, errors, before, after)


@inline
def _lowest_trained(chain, layers):
    """Return the lowest layer of which something is trained."""
    for index in range(layers):
        layer = layer_of(chain, index)
        if layer[LEARNS_WEIGHT] or layer[LEARNS_BIAS]:
            return index
    return layers
