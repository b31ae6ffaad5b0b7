"""Going once through the training data of the task that has just ended."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clbench.context import Batch, Context


def batches(context: Context, size: int, samples: int | None, purpose: str) -> Iterator[Batch]:
    """Yield the ended task's training data in batches of `size`; the last one may be smaller.

    Args:
        context: its `stage` names the task.
        size: samples a batch.
        samples: how many to draw without replacement, of the lane's seed and the purpose; None for all.
        purpose: names the draw.
    """
    address = context.train_addresses(context.stage)
    if samples is not None and samples < address.shape[1]:
        drawn = [torch.randperm(address.shape[1], generator=one) for one in context.random(purpose)]
        address = address.gather(1, torch.stack(drawn)[:, :samples].to(address.device))
    for part in address.split(size, 1):
        yield context.fetch(part.contiguous())


def active_outputs(batch: Batch, outputs: Tensor) -> Tensor:
    """Return which outputs compete, 1 or 0, broadcastable to `outputs` `[lane, batch, outputs]`."""
    if batch.mask is None:
        return torch.ones_like(outputs[:1, :1])
    return (batch.mask == 0).to(outputs.dtype)


def predicted_distribution(batch: Batch, outputs: Tensor) -> Tensor:
    """Return softmax over the outputs that compete, `[lane, batch, outputs]`, 0 for the others."""
    return torch.softmax(outputs if batch.mask is None else outputs + batch.mask, 2)


def is_regression(batch: Batch) -> bool:
    """Tell whether the targets are numbers and not classes."""
    return batch.targets.is_floating_point()
