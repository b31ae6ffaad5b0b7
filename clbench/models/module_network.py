"""Any `torch.nn.Module` over lanes, by functional calls and autograd."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from clbench.models.base import Layout, Network
from clbench.models.buffers import align


class ModuleNetwork(Network):
    """One module's code, called with the parameters of every lane.

    Args:
        module: whose code and constant buffers all lanes share; its own parameters are never used.
        layout: its parameters, by their names in the module.
        theta, gradient: `[lane, padded]`.
        exact: call lane by lane, so that a lane's bits depend on nothing else; otherwise all lanes are
            one call under `vmap`, which is faster, but whose matrix products may round the last bits of
            a lane by its place where sides are no multiple of 16.
    """

    def __init__(
        self, module: nn.Module, layout: Layout, theta: Tensor, gradient: Tensor, exact: bool
    ) -> None:
        """Take views of the flat tensors, and the module to their device and dtype."""
        self._module = module.to(device=theta.device, dtype=theta.dtype)
        self._layout, self._gradient, self._exact = layout, gradient, exact
        self._views, self._slopes = layout.views(theta), layout.views(gradient)
        self._trained = [parameter.name for parameter in layout.parameters if parameter.trainable]
        self._lanes = theta.shape[0]
        self._inputs: Tensor
        self._calls: list[tuple[Tensor, dict[str, Tensor]]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, batch, outputs]`; see `Network.forward`."""
        self._inputs = align(inputs)
        with torch.enable_grad():
            if self._exact:
                self._calls = [self._call(lane, self._inputs[lane]) for lane in range(self._lanes)]
                return torch.stack([outputs.detach() for outputs, _ in self._calls])
            leaves = self._leaves(slice(None))
            outputs = self._evaluate_together(leaves, self._inputs)
            self._calls = [(outputs, leaves)]
        return outputs.detach()

    def backward(self, errors: Tensor) -> None:
        """Overwrite the gradient, given ∂loss/∂outputs; see `Network.backward`."""
        errors = align(errors)
        self._gradient.zero_()
        for lane, (outputs, leaves) in enumerate(self._calls):
            place = lane if self._exact else slice(None)
            self._write(self._slopes, place, outputs, leaves, errors[place])

    def predict(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, samples, outputs]`; see `Network.predict`."""
        inputs = align(inputs).expand(self._lanes, *inputs.shape[1:])
        with torch.no_grad():
            if not self._exact:
                return self._evaluate_together(self._views, inputs)
            own = ({name: view[lane] for name, view in self._views.items()} for lane in range(self._lanes))
            return torch.stack([self._evaluate(values, x) for values, x in zip(own, inputs, strict=True)])

    def squared_gradients(self, errors: Tensor) -> Tensor:
        """Return Σ_n g_n², `[lane, padded]`, for the inputs of the last `forward`: sample by sample."""
        squares, single = torch.zeros_like(self._gradient), torch.zeros_like(self._gradient)
        slopes = self._layout.views(single)
        for sample in range(errors.shape[1]):
            for lane in range(self._lanes):
                with torch.enable_grad():
                    outputs, leaves = self._call(lane, self._inputs[lane, sample : sample + 1])
                self._write(slopes, lane, outputs, leaves, errors[lane, sample : sample + 1])
            squares.addcmul_(single, single)
        return squares

    def _evaluate(self, values: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return functional_call(self._module, values, (inputs,))

    def _evaluate_together(self, values: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Return the outputs of all lanes in one call.

        A product of a single lane may round otherwise than one of many, so a lane alone is doubled.
        """
        if self._lanes > 1:
            return vmap(self._evaluate)(values, inputs)
        both = {name: torch.cat([value, value]) for name, value in values.items()}
        return vmap(self._evaluate)(both, torch.cat([inputs, inputs]))[:1]

    def _call(self, lane: int, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        leaves = self._leaves(lane)
        return self._evaluate(leaves, inputs), leaves

    def _leaves(self, place: int | slice) -> dict[str, Tensor]:
        """Return the parameters of a lane or all as leaves of a new graph, in the memory of θ."""
        leaves = {name: view[place].detach() for name, view in self._views.items()}
        for name in self._trained:
            leaves[name].requires_grad_()
        return leaves

    def _write(
        self,
        slopes: dict[str, Tensor],
        place: int | slice,
        outputs: Tensor,
        leaves: dict[str, Tensor],
        errors: Tensor,
    ) -> None:
        """Copy the gradient of Σ errors · outputs into the views `slopes`."""
        found = torch.autograd.grad(
            outputs, [leaves[name] for name in self._trained], errors, retain_graph=True, allow_unused=True
        )
        for name, slope in zip(self._trained, found, strict=True):
            if slope is None:
                slopes[name][place].zero_()
            else:
                slopes[name][place].copy_(slope)
