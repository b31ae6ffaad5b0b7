"""The chain for lanes, one after another, whose inputs, outputs and errors lie as `[lane, sample, …]`."""

from __future__ import annotations

import numpy as np

from clbench.kernels.compiler import inline, kernel
from clbench.kernels.dense import ACTIVATION as FUNCTION
from clbench.kernels.dense import (
    AFTER,
    BIASES,
    ERRORS,
    INPUTS,
    LAYERS,
    OUTPUTS,
    SAMPLES,
    TURNED,
    WEIGHT,
    backward,
    forward,
    layer_of,
    send_below,
)
from clbench.kernels.elementwise import set_squares
from clbench.kernels.memory import floats, integers
from clbench.kernels.movement import whole_vectors
from clbench.kernels.product import ZERO, multiply
from clbench.kernels.vectors import sum_floats

_ZERO = np.float32(0)


@kernel
def forward_lanes(
    chain: int, lanes: int, batch: int, room: int, room_step: int, theta: int, theta_step: int,
    inputs: int, input_step: int, outputs: int,
) -> None:  # fmt: skip
    """Write the outputs `[lane, batch, outputs]` of a batch, and keep in every lane's room what led to them.

    Args:
        chain: address of the table, see `dense`.
        lanes, batch: their numbers; a batch fits the table.
        room, theta, inputs: addresses of the first lane's.
        room_step, theta_step, input_step: floats from one lane's to the next one's; 0 where all share them.
        outputs: address.
    """
    width = _last_layer(chain)[OUTPUTS]
    for lane in range(lanes):
        own = room + 4 * lane * room_step
        _run(
            chain, own, theta + 4 * lane * theta_step, inputs + 4 * lane * input_step,
            outputs + 4 * lane * batch * width, batch,
        )  # fmt: skip


@kernel
def predict_lanes(
    chain: int, lanes: int, samples: int, room: int, theta: int, theta_step: int,
    inputs: int, input_step: int, outputs: int,
) -> None:  # fmt: skip
    """Write the outputs of any number of samples, by as many as the table holds; see `forward_lanes`."""
    features, width = layer_of(chain, 0)[INPUTS], _last_layer(chain)[OUTPUTS]
    most = integers(chain, SAMPLES + 1)[SAMPLES]
    for lane in range(lanes):
        for start in range(0, samples, most):
            _run(
                chain, room, theta + 4 * lane * theta_step,
                inputs + 4 * (lane * input_step + start * features),
                outputs + 4 * (lane * samples + start) * width, min(most, samples - start),
            )  # fmt: skip


@kernel
def backward_lanes(
    chain: int, lanes: int, batch: int, room: int, room_step: int, theta: int, theta_step: int,
    errors: int, gradient: int, gradient_step: int,
) -> None:  # fmt: skip
    """Overwrite the gradients, given the errors of the outputs of the last `forward_lanes`."""
    width = _last_layer(chain)[OUTPUTS]
    for lane in range(lanes):
        own = room + 4 * lane * room_step
        _turn_errors(chain, own, errors + 4 * lane * batch * width, batch)
        backward(
            chain, own, theta + 4 * lane * theta_step, gradient + 4 * lane * gradient_step, batch, 0, 1, 0
        )


@kernel
def square_lanes(
    chain: int, lanes: int, batch: int, room: int, room_step: int, theta: int, theta_step: int,
    errors: int, squares: int, squares_step: int, scratch: int,
) -> None:  # fmt: skip
    """Overwrite `squares` with Σₙ gₙ² over the samples of the last `forward_lanes`, given their errors.

    A dense layer's gₙ is the outer product of error and input: Σₙ gₙ² = (δ²)ᵀ (x²), and Σₙ δ² for the bias
    (Goodfellow 2015, «Efficient per-example gradient computations»).

    Args:
        scratch: address of as many floats as the largest `TURNED` has.
    """
    layers, width = integers(chain, 1)[LAYERS], _last_layer(chain)[OUTPUTS]
    for lane in range(lanes):
        own = room + 4 * lane * room_step
        _turn_errors(chain, own, errors + 4 * lane * batch * width, batch)
        for index in range(layers - 1, -1, -1):
            if index:
                columns, samples = whole_vectors(batch), integers(chain, SAMPLES + 1)[SAMPLES]
                activation = integers(chain, FUNCTION + 1)[FUNCTION]
                send_below(
                    chain, index, own, theta + 4 * lane * theta_step, columns, samples, activation, 0, 1
                )
            _square_layer(chain, index, own, batch, squares + 4 * lane * squares_step, scratch)


@inline
def _last_layer(chain):
    return layer_of(chain, integers(chain, 1)[LAYERS] - 1)


@inline
def _run(chain, room, theta, inputs, outputs, batch):
    """Write a batch's outputs `[batch, outputs]`."""
    first, last, samples = layer_of(chain, 0), _last_layer(chain), integers(chain, SAMPLES + 1)[SAMPLES]
    features, width = first[INPUTS], whole_vectors(first[INPUTS])
    for sample in range(whole_vectors(batch)):
        found = floats(room + 4 * (first[TURNED] + sample * width), features)
        if sample < batch:
            given = floats(inputs + 4 * sample * features, features)
            for feature in range(features):
                found[feature] = given[feature]
        else:
            for feature in range(features):
                found[feature] = _ZERO
    forward(chain, room, theta, batch, 0, 1, 0)
    found = floats(outputs, batch * last[OUTPUTS])
    for output in range(last[OUTPUTS]):
        row = floats(room + 4 * (last[AFTER] + output * samples), batch)
        for sample in range(batch):
            found[sample * last[OUTPUTS] + output] = row[sample]


@inline
def _turn_errors(chain, room, errors, batch):
    """Bring errors `[batch, outputs]` to `[output, sample]`, 0 beyond the batch."""
    last, samples = _last_layer(chain), integers(chain, SAMPLES + 1)[SAMPLES]
    given = floats(errors, batch * last[OUTPUTS])
    for output in range(last[OUTPUTS]):
        row = floats(room + 4 * (last[ERRORS] + output * samples), whole_vectors(batch))
        for sample in range(batch):
            row[sample] = given[sample * last[OUTPUTS] + output]
        for sample in range(batch, whole_vectors(batch)):
            row[sample] = _ZERO


@inline
def _square_layer(chain, index, room, batch, squares, scratch):
    """Write a layer's squares; its errors are squared in place, its inputs aside."""
    layer, samples = layer_of(chain, index), integers(chain, SAMPLES + 1)[SAMPLES]
    outputs, inputs, errors = layer[OUTPUTS], layer[INPUTS], room + 4 * layer[ERRORS]
    for output in range(outputs):
        row = errors + 4 * output * samples
        set_squares(whole_vectors(batch), row, row)
    set_squares(batch * whole_vectors(inputs), room + 4 * layer[TURNED], scratch)
    multiply(
        outputs, inputs, batch,
        errors, samples, 1,
        scratch, whole_vectors(inputs),
        squares + 4 * layer[WEIGHT], inputs,
        ZERO, 0, 0,
    )  # fmt: skip
    if layer[BIASES] >= 0:
        found = floats(squares + 4 * layer[BIASES], outputs)
        for output in range(outputs):
            found[output] = sum_floats(errors + 4 * output * samples, batch)


@kernel
def multiply_lanes(
    lanes: int, rows: int, columns: int, inner: int,
    left: int, left_step: int, left_row: int, left_column: int,
    right: int, right_step: int, right_row: int,
    out: int, out_step: int, out_row: int, begin: int,
) -> None:  # fmt: skip
    """Write every lane's product; a step is the floats from one lane's to the next one's, see `multiply`."""
    for lane in range(lanes):
        multiply(
            rows, columns, inner,
            left + 4 * lane * left_step, left_row, left_column,
            right + 4 * lane * right_step, right_row,
            out + 4 * lane * out_step, out_row,
            begin, 0, 0,
        )  # fmt: skip
