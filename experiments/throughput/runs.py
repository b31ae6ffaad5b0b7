"""The workloads as clbench's runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from workloads import Workload

from clbench.config import Evaluation, Training
from clbench.models import MLP
from clbench.optimizers import Adam
from clbench.runs import Run
from clbench.strategies import Naive
from clbench.strategies.base import Strategy
from clbench.streams import LinearRegression, SplitImages, Stream, StreamSource, Task, TwoTaskRegression


@dataclass(frozen=True)
class RandomImages(StreamSource):
    """Standard normal pixels with random labels, the same pool for every seed; a task has its own part of it.

    Args:
        pixels: inputs.
        tasks: tasks, all with the same ten outputs.
        train, test: samples of every task.
    """

    pixels: int = 784
    tasks: int = 2
    train: int = 30_000
    test: int = 128

    def build(self, seed: int) -> Stream:
        """Return the stream, the same for all seeds."""
        size = self.train + self.test
        inputs, targets = _random_pool(self.pixels, self.tasks * size)
        starts = range(0, self.tasks * size, size)
        tasks = tuple(
            Task(
                name=str(index),
                train=torch.arange(start, start + self.train),
                val=torch.arange(0),
                test=torch.arange(start + self.train, start + size),
                outputs=(0, 10),
            )
            for index, start in enumerate(starts)
        )
        return Stream(inputs, targets, tasks, scenario="domain", outputs=10, scores=("accuracy",))


@lru_cache(maxsize=2)
def _random_pool(pixels: int, samples: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, pixels, generator=random)
    return inputs, torch.randint(10, (samples,), generator=random)


def stream_of(workload: Workload) -> StreamSource:
    """Return the stream of a workload."""
    if workload.name == "regression":
        return TwoTaskRegression()
    if workload.name == "digits":
        return SplitImages(tasks=workload.tasks, scenario="task")
    if workload.name == "linear":
        return LinearRegression()
    return RandomImages(workload.widths[0], workload.tasks, workload.samples)


def runs_of(
    workload: Workload,
    count: int,
    steps: int,
    points: int = 1,
    strategy: Strategy | None = None,
    device: str = "cpu",
    subset: int | None = 128,
    splits: tuple[str, ...] = ("test",),
    hidden: tuple[int, ...] | None = None,
    stream: StreamSource | None = None,
) -> list[Run]:
    """Return runs of a workload with the seeds 0 … count − 1.

    Args:
        workload: which.
        count: how many.
        steps: gradient steps a task.
        points: evaluation points a task; 1 is the end of the task alone.
        strategy: naive unless given.
        device: torch's name of it.
        subset: samples of a split evaluated at points inside a task.
        splits: what is evaluated.
        hidden, stream: in place of the workload's own.
    """
    return [
        Run(
            stream=stream or stream_of(workload),
            model=MLP(hidden=workload.widths[1:-1] if hidden is None else hidden),
            strategy=strategy or Naive(),
            optimizer=Adam(lr=0.001),
            training=Training(steps=steps, batch_size=workload.batch),
            evaluation=Evaluation(points=points, subset=subset, splits=splits, full=splits),
            seed=seed,
            device=device,
        )
        for seed in range(count)
    ]
