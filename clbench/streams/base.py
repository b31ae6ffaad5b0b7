"""What a stream is: tasks in order, as tensors, with no loader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clbench.config import derive_seed
from clbench.fields import Part

SCENARIOS = ("task", "domain", "class", "regression")


@dataclass(frozen=True)
class Task:
    """One task: which samples of the stream's pool it has, and which outputs answer it.

    Args:
        name: `A`, `B` in streams of two tasks, `0`, `1`, … in longer ones.
        train, val, test: indices into the pool, int64 `[samples]`; `val` and `test` may be empty.
        outputs: half-open range of the network's outputs that belong to this task.
        permutation: int64 `[features]`, or None; input feature `f` of this task is pool feature
            `permutation[f]`.
        classes_until: one past the last output that its training samples may have where boundaries are
            blurred and a class comes early; None for `outputs[1]`. In the class-incremental scenario these
            compete in training.
    """

    name: str
    train: Tensor
    val: Tensor
    test: Tensor
    outputs: tuple[int, int]
    permutation: Tensor | None = None
    classes_until: int | None = None

    def split(self, name: str) -> Tensor:
        """Return the indices of the split `train`, `val` or `test`."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]


@dataclass(frozen=True)
class Stream:
    """The tasks of one seed. Pools may be the same tensor object for many seeds; lanes share them.

    Args:
        inputs: float32 `[pool, *features]`, or int64 `[pool, length]` for tokens (0 is padding).
        targets: int64 `[pool]` (the index of the right output) or float32 `[pool, outputs]`.
        tasks: in the order in which they are learned.
        scenario: `task`, `domain`, `class` or `regression`.
        outputs: how many outputs the network needs.
        scores: names of the stream's scores, the first one leads (`accuracy`, `f1_micro`, `rmse`, …).
        tokens: size of the vocabulary, for token streams.
        offset_targets: whether `targets` count from the first output of the task in which a sample is
            used, so that the right output is `task.outputs[0] + targets`; the same sample then has a
            right output per task.
        vocabulary: the words of the tokens, `vocabulary[token]`, where there are words.
    """

    inputs: Tensor
    targets: Tensor
    tasks: tuple[Task, ...]
    scenario: str
    outputs: int
    scores: tuple[str, ...]
    tokens: int | None = None
    offset_targets: bool = False
    vocabulary: tuple[str, ...] | None = None

    @property
    def loss(self) -> str:
        """`mse` for regression, `cross_entropy` otherwise."""
        return "mse" if self.scenario == "regression" else "cross_entropy"

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.inputs.shape[1:])


class StreamSource(Part, ABC):
    """A stream's recipe: a frozen dataclass that builds the `Stream` of a seed."""

    KEY: ClassVar[str] = "stream"

    def __post_init__(self) -> None:
        """Turn lists, as a configuration gives them, into tuples."""
        for name, value in vars(self).items():
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))

    def data_version(self) -> str:
        """Return a digest of the files that are read, so that stages stored from other contents don't count.

        The default is for sources that read none.
        """
        return ""

    @abstractmethod
    def build(self, seed: int) -> Stream:
        """Return the stream of a seed, whatever the strategy; equal seeds give equal tensors."""


def generator(seed: int, *purpose: object) -> torch.Generator:
    """Return the CPU generator that belongs to a seed and a purpose (see `config.derive_seed`)."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def task_names(count: int) -> tuple[str, ...]:
    """Return `A`, `B` for two tasks and `0`, `1`, … for any other number."""
    return ("A", "B") if count == 2 else tuple(str(index) for index in range(count))
