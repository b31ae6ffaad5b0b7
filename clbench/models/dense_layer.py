"""One dense layer over lanes: views of its weight and bias, and the products of its two passes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.models.lane_product import multiply


@dataclass(frozen=True)
class DenseLayer:
    """Views of one layer: `weight [lane, out, in]`, `bias [lane, 1, out]`, and of their gradients."""

    weight: Tensor
    bias: Tensor | None
    weight_gradient: Tensor
    bias_gradient: Tensor | None

    @classmethod
    def of(cls, name: str, values: dict[str, Tensor], slopes: dict[str, Tensor]) -> DenseLayer:
        """Return the layer `name` of views of parameters and of gradients (see `Layout.views`)."""
        bias = f"{name}.bias"
        return cls(
            weight=values[f"{name}.weight"],
            bias=values[bias].unsqueeze(1) if bias in values else None,
            weight_gradient=slopes[f"{name}.weight"],
            bias_gradient=slopes[bias].unsqueeze(1) if bias in slopes else None,
        )

    def affine(self, x: Tensor, out: Tensor) -> None:
        """Write x Wᵀ + b into `out`."""
        turned = self.weight.transpose(1, 2).contiguous()
        if self.bias is None:
            multiply(x, turned, out)
        else:
            multiply(x, turned, out.copy_(self.bias), add=True)

    def collect(self, errors: Tensor, x: Tensor) -> None:
        """Overwrite the gradients: ∂W = errorsᵀ x and ∂b = Σ_batch errors.

        Args:
            errors: ∂loss/∂z `[lane, batch, out]`.
            x: `[lane, batch, in]`.
        """
        multiply(errors.transpose(1, 2), x, self.weight_gradient)
        if self.bias_gradient is not None:
            torch.sum(errors, 1, keepdim=True, out=self.bias_gradient)

    def send_back(self, errors: Tensor, out: Tensor) -> None:
        """Write ∂loss/∂x = errors W into `out`."""
        multiply(errors, self.weight, out)
