"""A loss on the outputs as data: what they are held to, and how."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from clbench.models.softmax import softmax


@dataclass(frozen=True, eq=False)
class Distillation:
    """What a network's outputs z are held to in a stage, given once: the outputs z' that were taught.

    With a temperature T
    L = w T² · mean over heads h and samples of KL(softmax(z'/T + m'_h) ‖ softmax(z/T + m_h)) / c_h;
    without one L = w · mean over samples and outputs of (z − z')². The gradient flows through z alone.

    Args:
        taught: the teacher's θ `[lane, padded]`, whose outputs on the step's batch are taught; or outputs
            that were stored, `[lane, places, outputs]`: a step's `Replay` tells which of them are taught to
            the first samples from memory, and where the outputs for the batch's own are stored.
        weight: w, or `[lane]`.
        temperature: T, or `[lane]`; None for the squared difference.
        teacher: m', 0 or −inf, `[lane, heads, outputs]`; None for the squared difference.
        student: m, which allows all that m' does.
        averaged: whether c_h is the number of outputs that m_h allows; else 1.
        task_weight: what the task loss, and a strategy's own on the outputs, count beside L, or `[lane]`.
    """

    taught: Tensor
    weight: Tensor | float = 1.0
    temperature: Tensor | float | None = None
    teacher: Tensor | None = None
    student: Tensor | None = None
    averaged: bool = False
    task_weight: Tensor | float = 1.0

    @property
    def stored(self) -> bool:
        """Whether stored outputs are taught, instead of a teacher's."""
        return self.taught.dim() == 3

    def errors(self, outputs: Tensor, taught: Tensor) -> Tensor:
        """Return ∂L/∂z `[lane, samples, outputs]` in closed form.

        With a temperature w T / (heads · samples) · Σ_h (softmax(z/T + m_h) − softmax(z'/T + m'_h)) / c_h,
        exactly 0 where m_h allows nothing; else 2 w (z − z') / (samples · outputs).

        Args:
            outputs: z.
            taught: z'.
        """
        samples, weight = outputs.shape[1], across(self.weight)
        if self.temperature is None or self.teacher is None or self.student is None:
            return (outputs - taught) * (2.0 * weight / (samples * outputs.shape[2]))
        scale = across(self.temperature)
        total = torch.zeros_like(outputs)
        for teacher, student in zip(self.teacher.split(1, 1), self.student.split(1, 1), strict=True):
            apart = softmax(outputs / scale + student) - softmax(taught / scale + teacher)
            total += apart / _counted(student) if self.averaged else apart
        return total * (weight * scale / (samples * self.teacher.shape[1]))

    def value(self, outputs: Tensor, taught: Tensor) -> Tensor:
        """Return L `[lane]`, differentiable in z; for its arguments see `errors`."""
        if self.temperature is None or self.teacher is None or self.student is None:
            return self.weight * (outputs - taught).square().mean((1, 2))
        scale = across(self.temperature)
        terms = []
        for teacher, student in zip(self.teacher.split(1, 1), self.student.split(1, 1), strict=True):
            allowed = (teacher == 0).expand_as(outputs)
            found = functional.log_softmax(outputs / scale + student, 2).where(allowed, 0.0)
            target = functional.log_softmax(taught / scale + teacher, 2).where(allowed, 0.0)
            summed = (target.exp() * (target - found)).where(allowed, 0.0).sum(2)
            terms.append((summed / _counted(student)[..., 0] if self.averaged else summed).mean(1))
        return self.weight * self.temperature**2 * torch.stack(terms).mean(0)


def across(value: Tensor | float) -> Tensor | float:
    """Return a number that may differ between lanes, `[lane]`, as a factor of `[lane, samples, outputs]`."""
    return value.reshape(-1, 1, 1) if isinstance(value, Tensor) else value


def _counted(mask: Tensor) -> Tensor:
    """Return how many outputs a mask `[lane, 1, outputs]` allows, `[lane, 1, 1]`."""
    return (mask == 0).sum(2, keepdim=True)
