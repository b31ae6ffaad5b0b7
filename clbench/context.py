"""What a strategy sees: a batch, its own state, and what it may ask of the program that trains it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clbench.models.base import Layout, Network

State = dict[str, Tensor]
"""A strategy's memory: tensors with a leading lane dimension, by name."""


@dataclass(frozen=True)
class Batch:
    """What one step trains on.

    Args:
        address: int64 `[lane, batch]`; `address = task · pool + sample` names a sample as a task sees it.
        inputs: `[lane, batch, *features]`.
        targets: int64 `[lane, batch]`, or float32 `[lane, batch, outputs]`.
        mask: which outputs compete, added to the logits (0 or −inf), broadcastable to
            `[lane, batch, outputs]`; None when all do.
        weight: weight of every sample in the task loss, broadcastable to `[lane, batch]`; the loss is
            Σ weight · loss.
        new: how many of the batch's samples are the stage's own; the rest is from memory.
        places: where the outputs that are taught to the first samples from memory are stored, int64
            `[lane, taught]`; None where none are.
        slots: where the outputs for the stage's own samples are to be stored, int64 `[lane, new]`.
    """

    address: Tensor
    inputs: Tensor
    targets: Tensor
    mask: Tensor | None
    weight: Tensor
    new: int
    places: Tensor | None = None
    slots: Tensor | None = None


class Context(ABC):
    """Some lanes in one phase, as a strategy sees it.

    Attributes:
        theta: parameters `[lane, padded]`; changed in place by the optimiser.
        task_gradient: gradient of the task loss at this step (before the strategy changed it and
            without the penalty) `[lane, padded]`.
        total_gradient: what the optimiser was given at this step `[lane, padded]`.
        theta_before: parameters before this step `[lane, padded]`; only in `after_step`.
        network: bound to `theta`; its `backward` writes `task_gradient`.
        layout: names and places of the parameters.
        lr: the optimiser's learning rate `[lane]`.
        stage: the current stage (in `consolidate`: the one that has just ended), from 0.
        step: gradient steps taken since the start of the run, this one included.
        stage_step: gradient steps taken in this stage, this one included.
        scratch: what can be computed again, kept for this phase only (never saved, never shared).
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
    scratch: dict[Any, Any]
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
