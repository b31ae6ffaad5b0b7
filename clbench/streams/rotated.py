"""Rotated digits: every task sees all classes turned by an angle of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from clbench.fields import count, number
from clbench.streams.base import Stream, Task, task_names
from clbench.streams.images import CLASSES, ImageSource, task_outputs


@dataclass(frozen=True)
class RotatedImages(ImageSource):
    """Task k sees the images turned by its angle, see `rotation.rotate`.

    In the `domain` scenario ten outputs are shared; in the `task` and `class` scenario each task has its
    own ten. The pool holds one copy of the images per angle, shared by all seeds (220 MB a task for
    MNIST). The seed draws the validation split and the limited samples (another draw for each task).

    Args:
        tasks: how many.
        span: degrees; task k is turned by k · span / tasks.
        angles: degrees of every task instead; null for the span's.
        source, scenario, val, samples, padding, mean, std, root: see `ImageSource`.
    """

    tasks: int = count(5)
    span: float = number(180.0, unit="degrees")
    angles: tuple[float, ...] | None = number(None, none="the span's", unit="degrees")

    def task_problems(self, key: str) -> Iterable[str]:
        """Yield a line where the angles are not one per task."""
        if self.angles is not None and len(self.angles) != self.tasks:
            yield (
                f"{key}.angles must name one angle per task; got {len(self.angles)} for "
                f"{key}.tasks={self.tasks}. Set both alike, or {key}.angles=null."
            )

    def smallest_task(self) -> int:
        """Return how many training samples every task has."""
        return len(self.training_split(seed=0)[0])

    def build(self, seed: int) -> Stream:
        """Return the stream of a seed: `inputs` `[tasks · images, pixels]`, `targets` `[tasks · images]`."""
        pool = self.pool()
        images = len(pool.labels)
        train, val = self.training_split(seed)
        tasks = tuple(
            Task(
                name=name,
                train=self.limit(train, seed, task) + task * images,
                val=val + task * images,
                test=pool.test + task * images,
                outputs=task_outputs(self.scenario, task, CLASSES),
            )
            for task, name in enumerate(task_names(self.tasks))
        )
        shared = self.scenario == "domain"
        return Stream(
            inputs=self.inputs(self._angles()),
            targets=_repeat(pool.labels, self.tasks),
            tasks=tasks,
            scenario=self.scenario,
            outputs=CLASSES if shared else CLASSES * self.tasks,
            scores=("accuracy",),
            offset_targets=not shared,
        )

    def _angles(self) -> tuple[float, ...]:
        if self.angles is not None:
            return tuple(float(angle) for angle in self.angles)
        return tuple(task * self.span / self.tasks for task in range(self.tasks))


@lru_cache(maxsize=4)
def _repeat(labels: Tensor, times: int) -> Tensor:
    """Return the labels once per task; the same object for the same labels (tensors hash by identity)."""
    return labels.repeat(times)
