"""Streams as a user writes them, some with a fault; tests give them to the real command by `_target_`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.streams.base import Stream, StreamSource, Task


@dataclass(frozen=True)
class Days(StreamSource):
    """Tasks of given names: the first, the same with its labels turned, and the first again, and so on."""

    names: tuple[str, ...] = ("A", "B")

    def build(self, seed):
        """Return the tasks."""
        inputs = torch.randn(400, 2, generator=torch.Generator().manual_seed(seed))
        targets = (inputs[:, 0] > 0).long()
        targets[200:] = 1 - targets[200:]
        rows = torch.arange(200)
        tasks = tuple(
            Task(name, rows[:140] + shift, rows[140:160] + shift, rows[160:] + shift, (0, 2))
            for name, shift in zip(self.names, (0, 200) * len(self.names), strict=False)
        )
        return Stream(inputs, targets, tasks, "domain", 2, ("accuracy",))
