"""Any `torch.nn.Module` as a model: slower than our own, under the same rules."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from clbench.models.base import Layout, Model, Network, Parameter
from clbench.models.module_network import ModuleNetwork
from clbench.models.module_trial import global_generator, mixing, outputs_twice, summary, trial_samples
from clbench.streams.base import Stream


@dataclass(frozen=True)
class Module(Model):
    """A module of the user, called with the parameters of every lane through `torch.func`.

    The module takes `[batch, *features]` and returns `[batch, outputs]`. What belongs to no lane is
    refused: buffers that the forward pass changes (running statistics) or that are drawn at the start,
    and random numbers in the forward pass (dropout). So is what mixes the samples of a batch (batch norm,
    softmax or attention over it): evaluation and importance cut batches as they need.

    Args:
        factory: a class or function that returns the module, or its dotted path. Its arguments named
            `features` (the shape of an input), `outputs` and `tokens` (size of the vocabulary) are
            those of the stream where `kwargs` does not give them.
        kwargs: its other arguments.
        exact: whether a lane has the same bits in any company, by calling lane after lane; false puts
            all lanes into one call under `vmap`, where odd sizes may round differently by place.
    """

    factory: Callable[..., nn.Module] | str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    exact: bool = True

    def fit_problems(self, stream: Stream) -> list[str]:
        """Return a line for what is wrong with the factory, or with the module that it builds."""
        try:
            first, second = self._build(stream, 0), self._build(stream, 1)
        except Exception as error:  # whatever a user's factory raises is a problem of the configuration
            return [
                "The module must be built by model.factory and model.kwargs; got "
                f"model.factory={_name(self.factory)}: {summary(error)}. "
                "Give a class of the module or its dotted path, and the arguments it needs."
            ]
        if not isinstance(first, nn.Module):
            return [
                "The factory must return a torch.nn.Module; got "
                f"model.factory={_name(self.factory)}, which returned {type(first).__name__}."
            ]
        return [*self._nameless(), *self._refusals(first, second, stream)]

    def layout(self, stream: Stream) -> Layout:
        """Return the module's parameters by their names.

        An embedding's weight is of kind `embedding`; names that end in `bias…` and all vectors (such as
        the scale of a norm) are of kind `bias`, and the rest is `weight`.
        """
        module = self._build(stream, 0)
        embeddings = {
            f"{name}.weight" if name else "weight"
            for name, part in module.named_modules()
            if isinstance(part, (nn.Embedding, nn.EmbeddingBag))
        }
        parameters = []
        for name, value in module.named_parameters():
            kind = "bias" if value.ndim <= 1 or name.split(".")[-1].startswith("bias") else "weight"
            kind = "embedding" if name in embeddings else kind
            parameters.append(Parameter(name, tuple(value.shape), kind, value.requires_grad))
        return Layout(tuple(parameters))

    def initialise(self, stream: Stream, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the parameters that the factory draws after `torch.manual_seed` of the generator's seed."""
        module = self._build(stream, generator.initial_seed())
        return {name: value.detach().clone() for name, value in module.named_parameters()}

    def bind(self, stream: Stream, theta: Tensor, gradient: Tensor) -> Network:
        """Return the network over views of `theta` and `gradient`."""
        return ModuleNetwork(self._build(stream, 0), self.layout(stream), theta, gradient, self.exact)

    def _build(self, stream: Stream, seed: int) -> nn.Module:
        """Return the module that the factory makes with torch's global generator at `seed`."""
        factory = _find(self.factory) if isinstance(self.factory, str) else self.factory
        if factory is None:
            raise ValueError("no factory is given")
        given = {"features": stream.features, "outputs": stream.outputs, "tokens": stream.tokens}
        asked = inspect.signature(factory).parameters
        arguments = {name: value for name, value in given.items() if name in asked} | dict(self.kwargs)
        with global_generator(seed):
            return factory(**arguments)

    def _nameless(self) -> list[str]:
        """Return a line when the factory has no name of its own, by which runs could be told apart."""
        if "<" not in (name := _name(self.factory)):
            return []
        return [
            f"The factory must have a name by which runs are told apart; got model.factory={name}. "
            "Define a function or class at the top of a file."
        ]

    def _refusals(self, module: nn.Module, other: nn.Module, stream: Stream) -> list[str]:
        """Return a line for every rule that a module of seed 0 or another of seed 1 breaks."""
        named = f"got model.factory={_name(self.factory)}"
        if lazy := _names(module.named_parameters(), is_lazy):
            return [f"Parameters must have a shape before data; {named} with {lazy}. Give the sizes."]
        if not list(module.parameters()):
            return [f"The module must have parameters; {named}, which has none."]
        found = []
        others: dict[str, Tensor] = dict(other.named_buffers())
        drawn = [name for name, value in module.named_buffers() if not torch.equal(value, others[name])]
        if drawn:
            found.append(
                f"Buffers must be the same for every seed, since lanes share them; {named} with "
                f"{', '.join(drawn)}. Make them parameters with requires_grad=False."
            )
        before = {name: value.clone() for name, value in module.named_buffers()}
        samples = trial_samples(stream.inputs if stream.tokens is not None else stream.inputs.float())
        try:
            outputs, again = outputs_twice(module, samples)
        except Exception as error:  # whatever a user's forward pass raises
            return [*found, f"The module must take the stream's inputs; {named}: {summary(error)}."]
        changed = [n for n, value in module.named_buffers() if not torch.equal(value, before[n])]
        if changed:
            found.append(
                "Lanes can't be stacked over buffers that the forward pass changes (running statistics); "
                f"{named} with {', '.join(changed)}. Use LayerNorm or GroupNorm."
            )
        elif isinstance(outputs, Tensor) and isinstance(again, Tensor) and not torch.equal(outputs, again):
            found.append(
                "The forward pass must not draw random numbers, which would belong to no run's seed; "
                f"{named}, whose outputs differ between two calls. Set dropout to 0."
            )
        expected = (len(samples), stream.outputs)
        if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
            shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            found.append(
                f"The module must return [batch, {stream.outputs}]; {named}, which returned {shape} for "
                f"{len(samples)} samples. Name an argument of the factory outputs to be given the number."
            )
        if not found and (how := mixing(module, samples)):
            found.append(
                f"A sample's output must not depend on the rest of its batch; {named}, {how}. Use LayerNorm "
                "or GroupNorm for batch norm, and take softmax and attention within a sample."
            )
        return found or self._unstackable(module, stream, samples, named)

    def _unstackable(self, module: nn.Module, stream: Stream, samples: Tensor, named: str) -> list[str]:
        """Return a line when `vmap` is asked for and can't take the module."""
        if self.exact:
            return []
        values = {name: value.detach() for name, value in module.named_parameters()}
        theta = self.layout(stream).pack(values).repeat(2, 1)
        network = ModuleNetwork(module, self.layout(stream), theta, torch.zeros_like(theta), exact=False)
        try:
            network.backward(torch.ones_like(network.forward(samples.expand(2, *samples.shape))))
        except Exception as error:  # vmap refuses in many ways
            return [
                f"torch.func.vmap can't stack the lanes of this module; {named} with model.exact=false: "
                f"{summary(error)}. Use model.exact=true."
            ]
        return []


def _find(path: str) -> Callable[..., nn.Module]:
    """Return what a dotted path names, such as `package.file.Class`."""
    place, _, name = path.rpartition(".")
    if not place:
        raise ValueError("a dotted path is needed, such as package.file.Class")
    return getattr(importlib.import_module(place), name)


def _name(factory: Callable[..., nn.Module] | str | None) -> str:
    return getattr(factory, "__qualname__", str(factory))


def _names(named: Any, wanted: Callable[[Any], bool]) -> str:
    return ", ".join(name for name, value in named if wanted(value))
