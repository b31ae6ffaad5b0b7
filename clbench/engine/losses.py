"""Task losses per lane, with their errors in closed form. Losses are summed over lanes, never averaged."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.kernels import losses as kernels
from clbench.kernels.vectors import whole
from clbench.models.lane_product import takes_kernels
from clbench.models.softmax import softmax


def sample_losses(kind: str, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
    """Return the loss of every sample, `[lane, samples]`.

    Args:
        kind: `mse`, mean over the outputs of (o − y)², without ½; or `cross_entropy`, −log softmax(o)[y]
            over the outputs that compete.
        outputs: `[lane, samples, outputs]`.
        targets: float `[lane, samples, outputs]`, or int64 `[lane, samples]`.
        mask: 0 or −inf, added to the logits.
    """
    if kind == "mse":
        return (outputs - targets).square_().mean(2)
    logits = outputs if mask is None else outputs + mask
    return logits.logsumexp(2) - logits.gather(2, targets[..., None]).squeeze(2)


def batch_loss(kind: str, outputs: Tensor, targets: Tensor, mask: Tensor | None, weight: Tensor) -> Tensor:
    """Return Σ over the batch of weight · loss, `[lane]`."""
    if takes_kernels(outputs):
        return _by_kernel(kind, outputs, targets, mask, weight)[0]
    return (sample_losses(kind, outputs, targets, mask) * weight).sum(1)


def output_errors(kind: str, outputs: Tensor, targets: Tensor, mask: Tensor | None, weight: Tensor) -> Tensor:
    """Return ∂ Σ weight · loss / ∂ outputs, `[lane, batch, outputs]`.

    mse: 2 w (o − y) / outputs. cross_entropy: w (softmax(o) − onehot(y)), exactly 0 where masked.
    """
    if takes_kernels(outputs):
        return _by_kernel(kind, outputs, targets, mask, weight)[1]
    if kind == "mse":
        errors = outputs - targets
        return errors.mul_(weight[..., None] * (2.0 / outputs.shape[2]))
    errors = softmax(outputs if mask is None else outputs + mask)
    minus = torch.full((1, 1, 1), -1.0, dtype=errors.dtype, device=errors.device)
    errors.scatter_add_(2, targets[..., None], minus.expand(*targets.shape, 1))
    return errors.mul_(weight[..., None])


def _by_kernel(
    kind: str, outputs: Tensor, targets: Tensor, mask: Tensor | None, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return losses `[lane]` and errors by the kernel that also the compiled steps use, lane by lane."""
    lanes, batch, count = outputs.shape
    outputs, targets = outputs.contiguous(), targets.contiguous()
    weight = weight.expand(lanes, batch).contiguous()
    masks = None if mask is None else mask.expand(lanes, batch, count).contiguous()
    room = whole(batch)
    scratch = torch.empty((2 * count + 2) * room + 2 * batch)
    errors, losses = torch.empty_like(outputs), []
    for lane in range(lanes):
        places = (each[lane].data_ptr() for each in (outputs, targets))
        masked = 0 if masks is None else masks[lane].data_ptr()
        rest = (weight[lane].data_ptr(), errors[lane].data_ptr(), scratch.data_ptr())
        losses.append(kernels.sample_errors.python(kernels.CODES[kind], batch, count, *places, masked, *rest))
    return torch.tensor(losses), errors
