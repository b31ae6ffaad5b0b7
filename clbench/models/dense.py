"""Dense layers over lanes: a forward and a backward pass written by hand, without fresh memory.

A layer is `a = f(x Wᵀ + b)` with `x [lane, batch, in]`, `W [lane, out, in]`, `b [lane, 1, out]`. Weights
and gradients are views of the engine's flat tensors; activations and errors live in buffers that are
made once per batch size. Every kernel is chosen by the layer's shape alone, never by the number of
lanes, and every matrix begins at the same offset of a cache line in every lane, so that a lane gets the
same bits in any company of two or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.models.activations import ACTIVATIONS
from clbench.models.base import Layout, Network
from clbench.models.buffers import align, lane_buffer, padded
from clbench.models.dense_layer import DenseLayer
from clbench.models.products import Products


@dataclass
class _Pass:
    """The buffers of one batch size, a list entry per layer, and the inputs of the last `forward`."""

    before: list[Tensor]
    after: list[Tensor]
    errors: list[Tensor]
    rooms: list[Tensor | None]
    inputs: Tensor


class DenseNetwork(Network):
    """A chain of dense layers bound to the flat parameters of some lanes.

    `backward` and `squared_gradients` leave what `forward` kept as it is, so that they can be called
    repeatedly; `predict` has buffers of its own and does not disturb either. A result is valid until
    the next call of the same method.

    Args:
        layout: the parameters, `<layer>.weight` and (where there is one) `<layer>.bias`.
        names: the layers from input to output.
        activation: name of the activation after every layer but the last.
        theta, gradient: `[lane, padded]`.
    """

    def __init__(
        self, layout: Layout, names: tuple[str, ...], activation: str, theta: Tensor, gradient: Tensor
    ) -> None:
        """Take views of the flat tensors; buffers come with the first batch."""
        self._layout, self._names = layout, names
        self._theta, self._gradient = theta, gradient
        self._lanes = theta.shape[0]
        values, slopes = layout.views(theta), layout.views(gradient)
        self._product = Products()
        self._layers = [DenseLayer.of(name, values, slopes, self._product) for name in names]
        self._widths = [layer.weight.shape[1] for layer in self._layers]
        self._activation = ACTIVATIONS[activation]
        self._passes: dict[int, _Pass] = {}
        self._pass: _Pass
        self._arenas: list[Tensor] = []
        self._predictions: dict[int, list[Tensor]] = {}

    def set_cores(self, cores: int, doubled: bool) -> None:
        """Take large products by that many threads, and not of a double, where the bits stay."""
        self._product.cores, self._product.doubled = cores, doubled

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, batch, outputs]`; see `Network.forward`."""
        current = self._passes.get(inputs.shape[1])
        if current is None:
            current = self._passes[inputs.shape[1]] = self._allocate(inputs.shape[1])
        self._pass = current
        current.inputs = x = align(inputs.reshape(self._lanes, inputs.shape[1], -1))
        apply, last = self._activation.apply, len(self._layers) - 1
        for index, layer in enumerate(self._layers):
            before, after = current.before[index], current.after[index]
            layer.affine(x, before)
            if index < last:
                apply(before, after)
            x = after
        return x

    def backward(self, errors: Tensor) -> None:
        """Overwrite the gradient, given ∂loss/∂outputs; see `Network.backward`."""
        current, chain = self._pass, self._activation.chain
        errors = align(errors)
        for index in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[index]
            x = current.after[index - 1] if index else current.inputs
            layer.collect(errors, x, current.rooms[index])
            if index:
                below = current.errors[index - 1]
                layer.send_back(errors, below)
                chain(below, current.before[index - 1], x)
                errors = below

    def predict(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, samples, outputs]`; see `Network.predict`."""
        x = align(inputs.reshape(inputs.shape[0], inputs.shape[1], -1)).expand(self._lanes, -1, -1)
        apply, last = self._activation.apply, len(self._layers) - 1
        for index, buffer in enumerate(self._prediction(inputs.shape[1])):
            self._layers[index].affine(x, buffer)
            x = buffer
            if index < last:
                if not self._activation.in_place:
                    x = lane_buffer(buffer, *buffer.shape)
                apply(buffer, x)
        return x

    def squared_gradients(self, errors: Tensor) -> Tensor:
        """Return Σ_n g_n², `[lane, padded]`, for the inputs of the last `forward`.

        A dense layer's per-sample gradient is the outer product of error and input, so its square is
        the outer product of their squares: Σ_n g_n² = (δ²)ᵀ (x²), and Σ_n δ² for the bias (Goodfellow
        2015, «Efficient per-example gradient computations»).
        """
        current, errors = self._pass, align(errors)
        squares = torch.zeros_like(self._gradient)
        values, slopes = self._layout.views(self._theta), self._layout.views(squares)
        views = [DenseLayer.of(name, values, slopes) for name in self._names]
        for index in range(len(views) - 1, -1, -1):
            x = current.after[index - 1] if index else current.inputs
            views[index].collect(align(errors.square()), align(x.square()), None)
            if index:
                below = lane_buffer(errors, *x.shape)
                views[index].send_back(errors, below)
                self._activation.chain(below, current.before[index - 1], x)
                errors = below
        return squares

    def _allocate(self, batch: int) -> _Pass:
        """Return the buffers for a batch size."""

        def room(width: int) -> Tensor:
            return lane_buffer(self._theta, self._lanes, batch, width)

        before = [room(width) for width in self._widths]
        after = list(before)
        if not self._activation.in_place:
            after[:-1] = [room(width) for width in self._widths[:-1]]
        return _Pass(
            before=before,
            after=after,
            errors=[room(width) for width in self._widths[:-1]],
            rooms=[layer.room(batch) for layer in self._layers],
            inputs=room(0),
        )

    def _prediction(self, samples: int) -> list[Tensor]:
        """Return a buffer per layer for a number of samples; every second one shares its memory."""
        if samples not in self._predictions:
            size = self._lanes * padded(samples * max(self._widths))
            if not self._arenas or self._arenas[0].numel() < size:
                self._arenas = [self._theta.new_empty(size) for _ in range(min(2, len(self._widths)))]
                self._predictions.clear()
            self._predictions[samples] = [
                self._arenas[index % 2][: self._lanes * padded(samples * width)]
                .view(self._lanes, -1)[:, : samples * width]
                .view(self._lanes, samples, width)
                for index, width in enumerate(self._widths)
            ]
        return self._predictions[samples]
