"""One dense layer over lanes: views of its weight and bias, and the products of its two passes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.models.base import ALIGNMENT
from clbench.models.buffers import lane_buffer
from clbench.models.products import Products

GATHERED = 2**14
"""Entries of a weight up to which its gradient is written in one piece first."""


@dataclass(frozen=True)
class DenseLayer:
    """Views of one layer: `weight [lane, out, in]`, `bias [lane, 1, out]`, and of their gradients."""

    weight: Tensor
    transposed: Tensor
    bias: Tensor | None
    weight_gradient: Tensor
    bias_gradient: Tensor | None
    product: Products

    @classmethod
    def of(
        cls, name: str, values: dict[str, Tensor], slopes: dict[str, Tensor], product: Products | None = None
    ) -> DenseLayer:
        """Return the layer `name` of views of parameters and of gradients (see `Layout.views`)."""
        weight, bias = values[f"{name}.weight"], f"{name}.bias"
        return cls(
            weight=weight,
            transposed=weight.transpose(1, 2),
            bias=values[bias].unsqueeze(1) if bias in values else None,
            weight_gradient=slopes[f"{name}.weight"],
            bias_gradient=slopes[bias].unsqueeze(1) if bias in slopes else None,
            product=product or Products(),
        )

    @property
    def outer(self) -> bool:
        """Whether one side is a single unit, so that products of entries beat the matrix product."""
        return 1 in self.weight.shape[1:]

    def affine(self, x: Tensor, out: Tensor) -> None:
        """Write x Wᵀ + b into `out`."""
        if x.shape[2] == 1 and self.bias is not None:
            torch.addcmul(self.bias, x, self.transposed, out=out)
        elif x.shape[2] == 1:
            torch.mul(x, self.transposed, out=out)
        else:
            self.product(self.bias, x, self.transposed, out)

    @property
    def gathers(self) -> bool:
        """Whether ∂W is better written in one piece and copied to its place among the other gradients.

        On the CPU a batched product into a tensor with gaps between its lanes is taken lane by lane, which
        costs small matrices more than the copy. The piece must keep every lane aligned.
        """
        size = self.weight[0].numel()
        return not self.weight.is_cuda and size <= GATHERED and size % ALIGNMENT == 0

    def collect(self, errors: Tensor, x: Tensor, room: Tensor | None) -> None:
        """Overwrite the gradients: ∂W = errorsᵀ x and ∂b = Σ_batch errors.

        Args:
            errors: ∂loss/∂z `[lane, batch, out]`.
            x: `[lane, batch, in]`.
            room: see `room`; None to write ∂W where it belongs at once.
        """
        if room is None:
            self.product(None, errors.transpose(1, 2), x, self.weight_gradient)
        elif self.outer:
            torch.mul(errors, x, out=room)
            torch.sum(room, 1, out=self.weight_gradient.view(len(room), -1))
        else:
            torch.bmm(errors.transpose(1, 2), x, out=room)
            self.weight_gradient.copy_(room)
        if self.bias_gradient is not None:
            torch.sum(errors, 1, keepdim=True, out=self.bias_gradient)

    def room(self, batch: int) -> Tensor | None:
        """Return what `collect` works in: products `[lane, batch, out · in]`, ∂W in one piece, or None."""
        lanes, out, inputs = self.weight.shape
        if self.outer:
            return lane_buffer(self.weight, lanes, batch, out * inputs)
        return self.weight.new_empty(lanes, out, inputs) if self.gathers else None

    def send_back(self, errors: Tensor, out: Tensor) -> None:
        """Write ∂loss/∂x = errors W into `out`."""
        if errors.shape[2] == 1:
            torch.mul(errors, self.weight, out=out)
        else:
            self.product(None, errors, self.weight, out)
