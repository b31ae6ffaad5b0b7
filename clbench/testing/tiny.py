"""A stream on which a strategy shows in a second what it does."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.streams.base import Stream, StreamSource, Task, generator


@dataclass(frozen=True)
class TinyStream(StreamSource):
    """Three small tasks of random features.

    Args:
        scenario: `domain`, `task`, `class` or `regression`.
        tasks: how many.
        samples: of each task in train, and in test.
    """

    scenario: str = "domain"
    tasks: int = 3
    samples: int = 48

    def build(self, seed: int) -> Stream:
        """Return tasks whose features are Gaussian around means of their own."""
        random = generator(seed, "tiny")
        size, features = 2 * self.samples * self.tasks, 6
        task = torch.arange(size) // (2 * self.samples)
        label = torch.randint(2, (size,), generator=random)
        means = torch.randn(self.tasks, 2, features, generator=random)
        inputs = means[task, label] + 0.5 * torch.randn(size, features, generator=random)
        own_outputs = self.scenario in ("task", "class")
        outputs = 2 * self.tasks if own_outputs else 2
        targets = label + 2 * task if own_outputs else label
        if self.scenario == "regression":
            targets = torch.stack([inputs[:, 0].sin() * (task + 1), label - 0.5], 1)
        parts = []
        for index in range(self.tasks):
            place = torch.nonzero(task == index).flatten()
            train_part, test_part = place[: self.samples], place[self.samples :]
            heads = (2 * index, 2 * index + 2) if own_outputs else (0, 2)
            parts.append(Task(str(index), train_part, place[:0], test_part, heads))
        score = "rmse" if self.scenario == "regression" else "accuracy"
        return Stream(inputs, targets, tuple(parts), self.scenario, outputs, (score,))
