"""The multilayer perceptron; without hidden layers it is the linear model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.fields import choice, count
from clbench.models.activations import ACTIVATIONS
from clbench.models.base import Layout, Model, Network, Parameter
from clbench.models.chain import Chain, ChainLayer
from clbench.models.dense import DenseNetwork
from clbench.models.dense_torch import TorchDenseNetwork
from clbench.models.initialisation import INITIALISATIONS, dense_tensors
from clbench.models.lane_product import takes_kernels
from clbench.streams.base import Stream


@dataclass(frozen=True)
class MLP(Model):
    """Dense layers `layers.0`, `layers.1`, … and an output layer `head` over flattened features.

    `task`- and `class`-incremental heads are slices of the one output layer (see `Task.outputs`).

    Args:
        hidden: units of every hidden layer; empty for the linear model.
        activation: `relu`, `tanh`, `sigmoid`, `gelu` (the exact one) or `identity`.
        bias: whether the layers have biases.
        outputs: units of the output layer; null for what the stream needs.
        init: `torch` (as `torch.nn.Linear`: weights and biases U(±1/√fan_in)), `xavier` (Glorot 2010,
            uniform, zero biases), `he` (He 2015, normal, fan in, zero biases), `truncated` (N(0, 0.1²) within
            ±0.2, biases 0.1) or `zeros`.
    """

    hidden: tuple[int, ...] = count((64, 64), unit="units")
    activation: str = choice("relu", ACTIVATIONS)
    bias: bool = True
    outputs: int | None = count(None, none="what the stream needs")
    init: str = choice("torch", INITIALISATIONS)

    def fit_problems(self, stream: Stream) -> Iterable[str]:
        """Yield a line for hidden layers that can't learn, and for a stream that this model can't take."""
        if self.init == "zeros" and self.hidden:
            yield (
                "Hidden layers can't learn from zeros; got model.init=zeros with hidden layers. "
                "Use it with model.hidden=[] only."
            )
        if stream.tokens is not None:
            yield (
                "This model takes numbers, the stream gives tokens; got model=mlp on a token stream. "
                "Use model=sequence."
            )
        yield from head_problems(self.outputs, stream)

    def layout(self, stream: Stream) -> Layout:
        """Return weights `[out, in]` and biases `[out]`, layer by layer."""
        parameters = []
        inputs = math.prod(stream.features)
        for name, units in zip(self._names(), (*self.hidden, stream.outputs), strict=True):
            parameters.append(Parameter(f"{name}.weight", (units, inputs)))
            if self.bias:
                parameters.append(Parameter(f"{name}.bias", (units,), "bias"))
            inputs = units
        return Layout(tuple(parameters))

    def initialise(self, stream: Stream, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the layers in order, a layer's weight before its bias."""
        tensors: dict[str, Tensor] = {}
        inputs = math.prod(stream.features)
        for name, units in zip(self._names(), (*self.hidden, stream.outputs), strict=True):
            tensors.update(dense_tensors(self.init, name, units, inputs, self.bias, generator))
            inputs = units
        return tensors

    def bind(self, stream: Stream, theta: Tensor, gradient: Tensor) -> Network:
        """Return the network over `theta` and `gradient`: by kernels where they are float32 on the CPU."""
        if takes_kernels(theta):
            return DenseNetwork(self.chain(stream), theta, gradient)
        return TorchDenseNetwork(self.layout(stream), self._names(), self.activation, theta, gradient)

    def chain(self, stream: Stream) -> Chain:
        layout = self.layout(stream)
        places, shapes = layout.slices(), {each.name: each.shape for each in layout.parameters}
        layers = []
        for name in self._names():
            outputs, inputs = shapes[f"{name}.weight"]
            layers.append(ChainLayer(inputs, outputs, places[f"{name}.weight"], places.get(f"{name}.bias")))
        return Chain(tuple(layers), self.activation)

    def _names(self) -> tuple[str, ...]:
        return (*(f"layers.{index}" for index in range(len(self.hidden))), "head")


def head_problems(outputs: int | None, stream: Stream) -> list[str]:
    """Return a line when a model's own number of outputs does not fit the stream."""
    if outputs is None or outputs == stream.outputs:
        return []
    return [
        f"The head must have the {stream.outputs} outputs of the stream; got model.outputs={outputs}. "
        f"Use model.outputs={stream.outputs}, or null for what the stream needs."
    ]
