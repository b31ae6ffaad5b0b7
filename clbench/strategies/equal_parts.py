"""A memory of which every task seen has an equal part, replicated to be as much as the new data."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.context import Context


def with_buffer(buffer: Tensor, address: Tensor, size: int) -> Tensor:
    """Return addresses `[lane, samples]` of the replicated memory and the stage's own data."""
    return torch.cat([buffer.repeat(1, max(address.shape[1] // size, 1)), address], 1)


def keep_equal_parts(context: Context, buffer: Tensor, size: int, tasks: int | None = None) -> Tensor:
    """Return the memory `[lane, samples]` with size // tasks random samples of each task seen.

    `tasks` is how many share it; None for those seen.

    A task's part lies together and in random order, so that its first samples are kept when it shrinks.
    """
    address = context.train_addresses(context.stage)
    part = min(size // (tasks or context.stage + 1), address.shape[1])
    task_of = buffer[0] // context.pool  # the same in every lane
    old = [buffer[:, task_of == task][:, :part] for task in task_of.unique().tolist()]
    orders = [torch.randperm(address.shape[1], generator=one) for one in context.random("memory/keep")]
    fresh = address.gather(1, torch.stack(orders)[:, :part].to(address.device))
    return torch.cat([*old, fresh], 1)
