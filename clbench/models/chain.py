"""Networks that are a chain of dense layers, as data: what kernels take whole steps of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ChainLayer:
    """A dense layer of a lane's flat vector.

    Args:
        inputs, outputs: its shape; the weight is `[outputs, inputs]`.
        weight: the weight's place.
        bias: the biases' place, None where there are none.
    """

    inputs: int
    outputs: int
    weight: slice
    bias: slice | None


@dataclass(frozen=True)
class Chain:
    """Dense layers, one after the other.

    Args:
        layers: from input to output.
        activation: name of the activation after every layer but the last.
    """

    layers: tuple[ChainLayer, ...]
    activation: str

    def rows(self, trained: Callable[[slice], bool] = lambda place: True) -> list[tuple[int, ...]]:
        """Return the layers as the kernels' `chain_table` takes them; `trained` tells of a tensor's place."""
        found = []
        for layer in self.layers:
            bias, learns = -1, 0
            if layer.bias is not None:
                bias, learns = layer.bias.start, int(trained(layer.bias))
            shape = (layer.inputs, layer.outputs, layer.weight.start, bias)
            found.append((*shape, int(trained(layer.weight)), learns))
        return found
