"""What a strategy may ask of the program that trains it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from clbench.models.base import Layout, Network
from clbench.strategies.base import Batch


class Learner(ABC):
    """One chunk of lanes in one phase, as a strategy sees it.

    Attributes:
        theta: parameters `[lane, padded]`; changed in place by the optimiser.
        task_gradient: gradient of the task loss at this step (before the strategy changed it and
            without the penalty) `[lane, padded]`.
        total_gradient: what the optimiser was given at this step `[lane, padded]`.
        theta_before: parameters before this step `[lane, padded]`; only in `observe_step`.
        network: bound to `theta`; its `backward` writes `task_gradient`.
        layout: names and places of the parameters.
        lr: the optimiser's learning rate `[lane]`.
        stage: the current stage (in `consolidate`: the one that has just ended), from 0.
        step: gradient steps taken since the start of the run, this one included.
        stage_step: gradient steps taken in this stage, this one included.
        recorded: whether this step's penalty is recorded; else its value may be left out.
        tasks: number of tasks in the stream.
        seeds: the seed of every lane.
        outputs: number of outputs of the network.
        scenario: `task`, `domain`, `class` or `regression`.
        task_outputs: the range of outputs `(low, high)` that each task's training samples may have.
        pool: number of samples in the pool, so that `address = task · pool + sample`.
        device: where the tensors live.
    """

    theta: Tensor
    task_gradient: Tensor
    total_gradient: Tensor
    theta_before: Tensor
    network: Network
    layout: Layout
    lr: Tensor
    stage: int
    step: int
    stage_step: int
    recorded: bool = True
    tasks: int
    seeds: tuple[int, ...]
    outputs: int
    scenario: str
    task_outputs: tuple[tuple[int, int], ...]
    pool: int
    device: torch.device

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return self.theta.shape[0]

    @abstractmethod
    def train_addresses(self, task: int) -> Tensor:
        """Return the addresses of a task's training samples, `[lane, samples]`."""

    @abstractmethod
    def fetch(self, address: Tensor, weight: Tensor | None = None, new: int | None = None) -> Batch:
        """Return the batch of addresses `[lane, batch]`; the weight defaults to 1 / batch."""

    @abstractmethod
    def outputs_of(self, batch: Batch, theta: Tensor | None = None) -> Tensor:
        """Return fresh outputs `[lane, batch, outputs]` without gradient, of `theta` if given."""

    @abstractmethod
    def gradient_of(self, batch: Batch) -> Tensor:
        """Return the task loss's gradient on another batch, in a fresh tensor `[lane, padded]`."""

    @abstractmethod
    def rate_factors(self) -> Tensor | None:
        """Return the factor on every element's step in this stage, `[padded]`, 0: frozen; None: all 1."""

    @abstractmethod
    def initial_theta(self) -> Tensor:
        """Return the parameters at step 0, `[lane, padded]`."""

    @abstractmethod
    def random(self, *purpose: object) -> list[torch.Generator]:
        """Return one generator per lane, of the lane's seed and a purpose (stage and step included)."""
