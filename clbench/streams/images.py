"""Pools of digit images that seeds and lanes share, and what all streams made of them have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clbench.digests import digest_files
from clbench.errors import ConfigurationError
from clbench.fields import choice, count, number
from clbench.streams.base import StreamSource, generator
from clbench.streams.idx import load_mnist, mnist_files, mnist_folder
from clbench.streams.rotation import rotate
from clbench.streams.sampling import draw_stratified

SOURCES = ("digits", "mnist")
SCENARIOS = ("task", "domain", "class")
CLASSES = 10
DIGITS_TEST = 359
"""A fifth of scikit-learn's 1,797 digits is the test split, the same one for every seed."""


@dataclass(frozen=True)
class ImagePool:
    """Images before normalisation, their labels and the published (or fixed) test split.

    Args:
        images: float32 `[samples, side, side]` from 0 to 1, padded with 0.
        labels: int64 `[samples]`, 0 to 9.
        train, test: indices into them; `train` is divided further by the seed.
    """

    images: Tensor
    labels: Tensor
    train: Tensor
    test: Tensor


@lru_cache(maxsize=4)
def load_pool(source: str, padding: int, folder: Path | None) -> ImagePool:
    """Return the pool of a source: `digits` (8×8, scikit-learn's) or `mnist` (28×28, of a folder)."""
    if source == "digits":
        from sklearn.datasets import load_digits

        pixels, digits = load_digits(return_X_y=True)
        images = torch.from_numpy(pixels.reshape(-1, 8, 8) / 16.0).float()
        labels = torch.from_numpy(digits).long()
        everything = torch.arange(len(labels))
        test, train = draw_stratified(everything, labels, DIGITS_TEST, generator(0, "digits", "test"))
    else:
        files = load_mnist(folder)
        images = torch.from_numpy(np.concatenate([files.train_images, files.test_images])).float() / 255.0
        labels = torch.from_numpy(np.concatenate([files.train_labels, files.test_labels])).long()
        train = torch.arange(len(files.train_labels))
        test = torch.arange(len(files.train_labels), len(labels))
    return ImagePool(torch.nn.functional.pad(images, (padding,) * 4), labels, train, test)


@lru_cache(maxsize=4)
def pool_inputs(
    source: str, padding: int, folder: Path | None, mean: float, std: float, angles: tuple[float, ...]
) -> Tensor:
    """Return the normalised pool, rotated by every angle in turn: `[angles · samples, pixels]`.

    Equal arguments give the same tensor object, so that seeds and lanes share it.
    """
    images = load_pool(source, padding, folder).images
    turned = [images if angle == 0 else rotate(images, angle) for angle in angles]
    flat = torch.cat(turned).flatten(1)
    return flat if (mean, std) == (0.0, 1.0) else (flat - mean) / std


@dataclass(frozen=True)
class ImageSource(StreamSource):
    """What streams of digit images share. The test split is the same for every seed; the seed draws `val`.

    A fixed test split is that of MNIST as published; of scikit-learn's digits it is a fifth, drawn
    once. So scores of all seeds are taken on the same images, and none of them was ever trained on,
    with whatever seed λ was selected.

    Args:
        source: `digits` (scikit-learn's 8×8, pixel / 16) or `mnist` (28×28 from IDX files, pixel / 255).
        scenario: `task`, `domain` or `class`.
        val: share of the training images that the seed draws as the validation split; 0 for none.
        samples: most training samples of a task, drawn by the seed after `val`; null for all.
        padding: pixels of 0 added on every side (2 makes 28×28 into 32×32).
        mean, std: an input is (pixel − mean) / std, padding included.
        root: folder of MNIST's IDX files, gzipped or not; null for the environment's CLBENCH_DATA.
    """

    source: str = choice("digits", SOURCES)
    scenario: str = choice("domain", SCENARIOS)
    val: float = number(0.125, low=0, below=1)
    samples: int | None = count(None, none="all")
    padding: int = count(0, 0)
    mean: float = number(0.0)
    std: float = number(1.0, above=0)
    root: str | None = None

    @abstractmethod
    def smallest_task(self) -> int:
        """Return how many training samples the smallest task has, before `samples` limits them."""

    def task_problems(self, key: str) -> Iterable[str]:
        """Return a line for every rule over the fields that a kind of stream has of its own."""
        return ()

    def cross_problems(self, key: str) -> Iterable[str]:
        """Return a line for every rule that the files or several fields break."""
        return [*self.task_problems(key), *self._file_problems()] or self._size_problems(key)

    def _file_problems(self) -> Iterable[str]:
        if self.source != "mnist":
            return ()
        try:
            load_mnist(mnist_folder(self.root))
        except ConfigurationError as error:
            return error.problems
        return ()

    def _size_problems(self, key: str) -> list[str]:
        """Return a line when a task has too few training samples."""
        available = self.smallest_task()
        if self.samples is not None and self.samples > available:
            return [
                f"Every task must have the training samples asked for; got {key}.samples={self.samples} "
                f"where the smallest task has {available} beside {key}.val={self.val}. Lower them."
            ]
        if not available:
            return [f"Every task must have training samples; got none beside {key}.val={self.val}. Lower it."]
        return []

    def data_version(self) -> str:
        """Return a digest of MNIST's files; scikit-learn's digits have none."""
        return digest_files(mnist_files(mnist_folder(self.root))) if self.source == "mnist" else ""

    def folder(self) -> Path | None:
        """Return the folder of the source's files, if it has any."""
        return mnist_folder(self.root) if self.source == "mnist" else None

    def pool(self) -> ImagePool:
        """Return the images, labels and test split."""
        return load_pool(self.source, self.padding, self.folder())

    def inputs(self, angles: tuple[float, ...] = (0.0,)) -> Tensor:
        """Return the shared inputs `[angles · samples, pixels]`, one copy of the pool per angle."""
        return pool_inputs(self.source, self.padding, self.folder(), self.mean, self.std, angles)

    def training_split(self, seed: int) -> tuple[Tensor, Tensor]:
        """Return the indices of the training and validation images of a seed, stratified by class."""
        pool = self.pool()
        total = round(self.val * len(pool.train))
        val, train = draw_stratified(pool.train, pool.labels[pool.train], total, generator(seed, "val"))
        return train, val

    def limit(self, indices: Tensor, seed: int, task: int) -> Tensor:
        """Return at most `samples` of a task's training images, stratified by class."""
        if self.samples is None:
            return indices
        labels = self.pool().labels[indices]
        return draw_stratified(indices, labels, self.samples, generator(seed, "samples", task))[0]


def task_outputs(scenario: str, task: int, classes: int) -> tuple[int, int]:
    """Return the outputs of a task with that many classes: shared in `domain`, its own otherwise."""
    first = 0 if scenario == "domain" else task * classes
    return first, first + classes
