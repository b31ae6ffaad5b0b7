"""Split digits: the ten classes are divided among the tasks."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clbench.fields import count, number
from clbench.streams.base import Stream, Task, generator, task_names
from clbench.streams.images import CLASSES, ImageSource, task_outputs
from clbench.streams.sampling import blur_boundaries

ORDERS = ("natural", "random")


@dataclass(frozen=True)
class SplitImages(ImageSource):
    """Task k learns the classes at places k·m … k·m + m − 1 of an order of the ten, m classes a task.

    Labels are the places in that order, so that a task's outputs are contiguous: in the `task` and `class`
    scenario task k has the outputs k·m … k·m + m − 1 of ten, in the `domain` scenario all tasks share
    the outputs 0 … m − 1.

    The seed draws the validation split, the limited samples, the blurred ones and a `random` class
    order, and nothing else; images and test split are the same for all seeds.

    Args:
        tasks: must divide the ten classes.
        class_order: `natural` (0, 1, …, 9), `random` (a permutation per seed), or the ten labels in
            the order wanted, for all seeds.
        blur: share of an inner task's training samples that is exchanged for its neighbours', half
            with each; the first and last task exchange half as many. Not in the `task` scenario,
            where a sample can't be answered by another task's outputs.
        source, scenario, val, samples, padding, mean, std, root: see `ImageSource`.
    """

    tasks: int = count(5)
    class_order: str | tuple[int, ...] = "natural"
    blur: float = number(0.0, low=0, high=1)

    def task_problems(self, key: str) -> list[str]:
        """Return a line for every rule over tasks, their classes and their boundaries."""
        found = self._order_problems(key)
        if CLASSES % self.tasks:
            found.append(
                f"The {CLASSES} classes must divide among the tasks; got {key}.tasks={self.tasks}. "
                "Choose 1, 2, 5 or 10."
            )
        if self.tasks == CLASSES and self.scenario in ("task", "domain"):
            found.append(
                f"A task of the {self.scenario} scenario must tell at least 2 classes apart; got "
                f"{key}.tasks={self.tasks}. Use fewer tasks or {key}.scenario=class."
            )
        if self.blur and self.scenario == "task":
            found.append(
                "Boundaries can't be blurred in the task scenario, where another task's sample has no right "
                f"output; got {key}.blur={self.blur}. Use the domain or class scenario, or {key}.blur=0."
            )
        return found

    def smallest_task(self) -> int:
        """Return how many training samples the smallest task has (of any class order, if random)."""
        train, _ = self.training_split(seed=0)
        counts = torch.bincount(self.pool().labels[train], minlength=CLASSES)
        if self.class_order == "random":
            counts = counts.sort().values
        else:
            counts = counts[torch.tensor(self._order(seed=0))]
        return int(counts.view(self.tasks, -1).sum(1).min())

    def build(self, seed: int) -> Stream:
        """Return the stream of a seed: `inputs` `[pool, pixels]` (all seeds') and `targets` `[pool]`."""
        pool = self.pool()
        position = torch.empty(CLASSES, dtype=torch.int64)
        position[torch.tensor(self._order(seed))] = torch.arange(CLASSES)
        place = position[pool.labels]
        size = CLASSES // self.tasks
        task_of = place // size
        train, val = self.training_split(seed)
        trains = [self.limit(train[task_of[train] == task], seed, task) for task in range(self.tasks)]
        trains = blur_boundaries(trains, self.blur, seed) if self.blur else trains
        tasks = tuple(
            Task(
                name=name,
                train=trains[task],
                val=val[task_of[val] == task],
                test=pool.test[task_of[pool.test] == task],
                outputs=task_outputs(self.scenario, task, size),
                classes_until=self._classes_until(task, size),
            )
            for task, name in enumerate(task_names(self.tasks))
        )
        shared = self.scenario == "domain"
        return Stream(
            inputs=self.inputs(),
            targets=place % size if shared else place,
            tasks=tasks,
            scenario=self.scenario,
            outputs=size if shared else CLASSES,
            scores=("accuracy",),
        )

    def _order(self, seed: int) -> list[int]:
        if self.class_order == "random":
            return torch.randperm(CLASSES, generator=generator(seed, "class order")).tolist()
        return list(range(CLASSES)) if self.class_order == "natural" else list(map(int, self.class_order))

    def _classes_until(self, task: int, size: int) -> int | None:
        if not self.blur or self.scenario != "class":
            return None
        return min((task + 2) * size, CLASSES)

    def _order_problems(self, key: str) -> list[str]:
        if self.class_order in ORDERS:
            return []
        if isinstance(self.class_order, tuple) and sorted(map(str, self.class_order)) == list("0123456789"):
            return []
        return [
            f"{key}.class_order must be natural, random or the labels 0 to {CLASSES - 1}, each once; got "
            f"{key}.class_order={self.class_order}."
        ]
