"""What a model is: a layout of parameters, an initialisation, and a network bound to flat lanes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.fields import field_problems
from clbench.models.chain import Chain
from clbench.streams.base import Stream

ALIGNMENT = 16
"""Lanes are padded to a multiple of this many floats, so that vector tails never cross lanes."""


@dataclass(frozen=True)
class Parameter:
    """One parameter tensor of one run.

    Args:
        name: dotted, as in `torch.nn`: `layers.0.weight`, `head.bias`.
        shape: without the lane dimension; a weight is `[out, in]`.
        kind: `weight`, `bias` or `embedding`.
        trainable: False for a layer that the model itself freezes.
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "weight"
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in a lane's flat vector.

    Args:
        parameters: in order of their place.
    """

    parameters: tuple[Parameter, ...]

    @property
    def size(self) -> int:
        """Floats that belong to parameters."""
        return sum(parameter.size for parameter in self.parameters)

    @property
    def padded(self) -> int:
        """Floats a lane takes; those past `size` are always zero."""
        return -(-self.size // ALIGNMENT) * ALIGNMENT

    def slices(self) -> dict[str, slice]:
        """Return the slice of every parameter, by name."""
        found, start = {}, 0
        for parameter in self.parameters:
            found[parameter.name] = slice(start, start + parameter.size)
            start += parameter.size
        return found

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return every parameter as a view `[lane, *shape]` of `flat` `[lane, padded]`."""
        places = self.slices()
        return {
            parameter.name: flat[:, places[parameter.name]].view(flat.shape[0], *parameter.shape)
            for parameter in self.parameters
        }

    def pack(self, tensors: dict[str, Tensor]) -> Tensor:
        """Return one run's parameters as its flat vector `[padded]`."""
        flat = torch.zeros(self.padded)
        for name, place in self.slices().items():
            flat[place] = tensors[name].reshape(-1)
        return flat


class Network(ABC):
    """A model bound to the flat parameters of some lanes: `theta` and `gradient`, `[lane, padded]`.

    Both tensors are the engine's; a network holds views of them and its own reusable buffers.
    """

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, batch, outputs]` of inputs `[lane, batch, *features]`.

        What `backward` needs is kept until the next call. The result may be a buffer that the next
        call overwrites.
        """

    @abstractmethod
    def backward(self, errors: Tensor) -> None:
        """Overwrite the gradient, given errors ∂loss/∂outputs `[lane, batch, outputs]`."""

    @abstractmethod
    def predict(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, samples, outputs]` without keeping anything for `backward`.

        Args:
            inputs: `[lane, samples, *features]`, or `[1, samples, *features]` shared by all lanes.
        """

    @abstractmethod
    def squared_gradients(self, errors: Tensor) -> Tensor:
        """Return Σ over samples of the squared per-sample gradients, `[lane, padded]`.

        Args:
            errors: per-sample errors for the inputs of the last `forward`, `[lane, batch, outputs]`;
                errors of one sample must not be divided by the batch size.
        """

    def freeze(self, names: Collection[str]) -> None:  # noqa: B027 - doing nothing is right
        """Take note of the parameters whose gradient nobody needs, until the next call.

        A network may leave their gradient 0 and leave out the work; by default it computes it all the same.
        """


class Model(ABC):
    """A model's recipe: a frozen dataclass."""

    def problems(self, stream: Stream) -> list[str]:
        """Return one line (rule; got; what to do) per field that is out of bounds or doesn't fit."""
        return field_problems(self, "model") or list(self.fit_problems(stream))

    def fit_problems(self, stream: Stream) -> Iterable[str]:
        """Return one line per rule over several fields or the stream; each field by itself is in order."""
        return ()

    def trainable(self, stage: int) -> tuple[str, ...] | None:
        """Return the name patterns of what a stage trains, all else frozen bit for bit; None for all."""
        return None

    def chain(self, stream: Stream) -> Chain | None:
        """Return the network as a chain of dense layers, whose steps kernels take; None where it is none."""
        return None

    @abstractmethod
    def layout(self, stream: Stream) -> Layout:
        """Return the parameters that a stream of this shape needs."""

    @abstractmethod
    def initialise(self, stream: Stream, generator: torch.Generator) -> dict[str, Tensor]:
        """Return one run's initial parameters by name, drawn from `generator` in a fixed order."""

    @abstractmethod
    def bind(self, stream: Stream, theta: Tensor, gradient: Tensor) -> Network:
        """Return the network whose parameters are views of `theta`, and that writes `gradient`."""
