"""A chain of dense layers over lanes on the CPU, by kernels that take one lane after another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clbench.kernels.activations import CODES
from clbench.kernels.dense import INPUTS, OUTPUTS, ROOM, chain_table
from clbench.kernels.lanes import backward_lanes, forward_lanes, predict_lanes, square_lanes
from clbench.models.base import ALIGNMENT, Network
from clbench.models.chain import Chain

PREDICTED = 128
"""Samples that are predicted at a time: so many stay near the core."""


class DenseNetwork(Network):
    """A chain of dense layers bound to the flat parameters of some lanes, in float32 on the CPU.

    `backward` and `squared_gradients` leave what `forward` kept as it is, so that they can be called
    repeatedly; `predict` disturbs neither. Results are fresh tensors.

    Args:
        chain: the layers and their places.
        theta, gradient: `[lane, padded]`.
    """

    def __init__(self, chain: Chain, theta: Tensor, gradient: Tensor) -> None:
        """Take the addresses of the flat tensors; what a pass needs comes with the first batch."""
        self._theta, self._gradient = theta, gradient
        self._lanes = len(theta)
        self._layers, self._activation = chain.rows(), CODES[chain.activation]
        self._features, self._outputs = self._layers[0][INPUTS], self._layers[-1][OUTPUTS]
        self._chains: dict[int, np.ndarray] = {}
        self._room = self._own_room = torch.empty(0)
        self._batch = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self._batch = batch = inputs.shape[1]
        chain, x = self._chain(batch), _whole(inputs, self._lanes, batch, self._features)
        step = int(chain[0, ROOM])
        if self._room.numel() < self._lanes * step:
            self._room = torch.zeros(self._lanes * step)
        outputs = torch.empty(self._lanes, batch, self._outputs)
        forward_lanes.python(*self._kept(), *_place(self._theta), *_place(x), outputs.data_ptr())
        return outputs

    def backward(self, errors: Tensor) -> None:
        errors = _whole(errors, self._lanes, self._batch, self._outputs)
        backward_lanes.python(*self._kept(), *_place(self._theta), errors.data_ptr(), *_place(self._gradient))

    def predict(self, inputs: Tensor) -> Tensor:
        samples = inputs.shape[1]
        x = _whole(inputs, len(inputs), samples, self._features)
        chain = self._chain(min(samples, PREDICTED))
        if self._own_room.numel() < chain[0, ROOM]:
            self._own_room = torch.zeros(int(chain[0, ROOM]))
        outputs = torch.empty(self._lanes, samples, self._outputs)
        address, step = _place(x)
        predict_lanes.python(
            chain.ctypes.data, self._lanes, samples, self._own_room.data_ptr(), *_place(self._theta),
            address, step if len(x) > 1 else 0, outputs.data_ptr(),
        )  # fmt: skip
        return outputs

    def squared_gradients(self, errors: Tensor) -> Tensor:
        errors = _whole(errors, self._lanes, self._batch, self._outputs)
        squares = torch.zeros_like(self._gradient)
        widest = max(layer[INPUTS] for layer in self._layers)
        scratch = torch.empty(self._batch * (widest + ALIGNMENT))
        square_lanes.python(
            *self._kept(), *_place(self._theta), errors.data_ptr(), *_place(squares), scratch.data_ptr()
        )
        return squares

    def _chain(self, batch: int) -> np.ndarray:
        """Return the table for a batch size."""
        if batch not in self._chains:
            self._chains[batch] = chain_table(self._layers, self._activation, batch)
        return self._chains[batch]

    def _kept(self) -> tuple[int, ...]:
        """Return what the passes of the last batch have in common."""
        chain = self._chain(self._batch)
        return chain.ctypes.data, self._lanes, self._batch, self._room.data_ptr(), int(chain[0, ROOM])


def _place(tensor: Tensor) -> tuple[int, int]:
    """Return the address of the first lane's floats, and how many there are to the next one's."""
    return tensor.data_ptr(), tensor.stride(0)


def _whole(tensor: Tensor, *shape: int) -> Tensor:
    """Return floats in the shape in which the kernels read them, one after another."""
    return tensor.reshape(shape).to(torch.float32).contiguous()
