"""A chain of dense layers over lanes by torch: for GPUs, and for other precisions than float32."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clbench.models.activations import ACTIVATIONS
from clbench.models.base import Layout, Network


class TorchDenseNetwork(Network):
    """What `DenseNetwork` is, by batched products.

    Args:
        layout: the parameters, `<layer>.weight` and (where there is one) `<layer>.bias`.
        names: the layers from input to output.
        activation: name of the activation after every layer but the last.
        theta, gradient: `[lane, padded]`.
    """

    def __init__(
        self, layout: Layout, names: Sequence[str], activation: str, theta: Tensor, gradient: Tensor
    ) -> None:
        """Take views of the flat tensors."""
        self._layout, self._names, self._gradient = layout, names, gradient
        self._lanes, self._activation = len(theta), ACTIVATIONS[activation]
        values = layout.views(theta)
        self._weights = [values[f"{name}.weight"] for name in names]
        self._biases = [values.get(f"{name}.bias") for name in names]
        self._before: list[Tensor] = []
        self._after: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self._before, self._after = self._run(inputs.flatten(2))
        return self._before[-1]

    def backward(self, errors: Tensor) -> None:
        slopes = self._layout.views(self._gradient)
        for index, found in self._errors(errors):
            self._collect(slopes, index, found, self._after[index])

    def predict(self, inputs: Tensor) -> Tensor:
        return self._run(inputs.flatten(2).expand(self._lanes, -1, -1))[0][-1]

    def squared_gradients(self, errors: Tensor) -> Tensor:
        squares = torch.zeros_like(self._gradient)
        slopes = self._layout.views(squares)
        for index, found in self._errors(errors):
            self._collect(slopes, index, found.square(), self._after[index].square())
        return squares

    def _run(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return of every layer what its activation is given, and what the layer is given."""
        before, after = [], [x]
        for weight, bias in zip(self._weights, self._biases, strict=True):
            right = weight.transpose(1, 2)
            z = (
                torch.bmm(after[-1], right)
                if bias is None
                else torch.baddbmm(bias[:, None], after[-1], right)
            )
            before.append(z)
            if len(before) < len(self._weights):
                after.append(z.clone())
                self._activation.apply(z, after[-1])
        return before, after

    def _errors(self, errors: Tensor) -> list[tuple[int, Tensor]]:
        """Return ∂loss/∂(before the activation) of every layer by its index, the last one's first."""
        found = [(len(self._weights) - 1, errors)]
        for index in range(len(self._weights) - 1, 0, -1):
            errors = torch.bmm(errors, self._weights[index])
            self._activation.chain(errors, self._before[index - 1], self._after[index])
            found.append((index - 1, errors))
        return found

    def _collect(self, slopes: dict[str, Tensor], index: int, errors: Tensor, x: Tensor) -> None:
        """Write ∂W = errorsᵀ x and ∂b = Σ errors of a layer."""
        name = self._names[index]
        slopes[f"{name}.weight"].copy_(torch.bmm(errors.transpose(1, 2), x))
        if f"{name}.bias" in slopes:
            torch.sum(errors, 1, out=slopes[f"{name}.bias"])
