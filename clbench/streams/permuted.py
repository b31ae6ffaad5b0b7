"""Permuted digits: every task sees all classes with its pixels in an order of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.fields import choice, count
from clbench.streams.base import Stream, Task, generator, task_names
from clbench.streams.images import CLASSES, ImageSource, task_outputs

PERMUTATIONS = ("random", "fixed")


@dataclass(frozen=True)
class PermutedImages(ImageSource):
    """Task k sees the pixels in its own order; the images are the same for all tasks.

    In the `domain` scenario ten outputs are shared; in the `task` and `class` scenario each task has its
    own ten. A permutation is an index (`Task.permutation`), not a copy of the images.

    The seed draws the validation split, the limited samples (another draw for each task) and
    `random` permutations.

    Args:
        tasks: how many.
        permute_first: whether the first task is permuted too.
        permutations: `random` (other ones for every seed) or `fixed` (the same for all seeds).
        source, scenario, val, samples, padding, mean, std, root: see `ImageSource`.
    """

    tasks: int = count(5)
    permute_first: bool = False
    permutations: str = choice("random", PERMUTATIONS)

    def smallest_task(self) -> int:
        """Return how many training samples every task has."""
        return len(self.training_split(seed=0)[0])

    def build(self, seed: int) -> Stream:
        """Return the stream of a seed: `inputs` `[pool, pixels]` and `targets` `[pool]` are all seeds'."""
        pool, inputs = self.pool(), self.inputs()
        train, val = self.training_split(seed)
        tasks = tuple(
            Task(
                name=name,
                train=self.limit(train, seed, task),
                val=val,
                test=pool.test,
                outputs=task_outputs(self.scenario, task, CLASSES),
                permutation=self._permutation(seed, task, inputs.shape[1]),
            )
            for task, name in enumerate(task_names(self.tasks))
        )
        shared = self.scenario == "domain"
        return Stream(
            inputs=inputs,
            targets=pool.labels,
            tasks=tasks,
            scenario=self.scenario,
            outputs=CLASSES if shared else CLASSES * self.tasks,
            scores=("accuracy",),
            offset_targets=not shared,
        )

    def _permutation(self, seed: int, task: int, pixels: int) -> torch.Tensor | None:
        if task == 0 and not self.permute_first:
            return None
        owner = seed if self.permutations == "random" else 0
        return torch.randperm(pixels, generator=generator(owner, "permutation", self.permutations, task))
