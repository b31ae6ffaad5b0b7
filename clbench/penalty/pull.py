"""A penalty as data: where it pulls to, how strongly, and by which distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.penalty.distances import closed_form, penalty_value, shrink


@dataclass(frozen=True)
class Pull:
    """λ h c Σ Ω dist(θ, θ*), given once a stage; `distances` has the formulas.

    Args:
        anchor: θ* `[lane, padded]`, or `[lane, terms, padded]` where several anchors pull.
        weight: w of `pull_weight`, which holds λ, h, c and Ω; broadcastable to `anchor`.
        distance: `l2`, `l1` or `norm`.
        constant: part of the penalty's value that doesn't depend on θ, `[lane]`; None for 0.
        decoupled: applied to θ after the optimiser's step, instead of through the gradient.
        held: which entries are held, broadcastable to `[lane, padded]`; the recorded ‖θ − θ*‖ is over them.
    """

    anchor: Tensor
    weight: Tensor
    distance: str = "l2"
    constant: Tensor | None = None
    decoupled: bool = False
    held: Tensor | None = None

    def value(self, theta: Tensor, blocks: Sequence[slice]) -> Tensor:
        """Return the penalty `[lane]`, differentiable in θ `[lane, padded]`.

        Args:
            theta: the parameters.
            blocks: the slices of the tensors.
        """
        found = penalty_value(self.distance, theta, self.anchor, self.weight, blocks)
        return found if self.constant is None else found + self.constant

    def gradient(
        self, theta: Tensor, blocks: Sequence[slice], buffer: Tensor, valued: bool = True
    ) -> tuple[Tensor | None, Tensor]:
        """Return the penalty `[lane]`, None unless `valued`, and its gradient `[lane, padded]`, 0 decoupled.

        Args:
            theta, blocks: see `value`.
            buffer: of the shape of `anchor`; overwritten.
            valued: whether the value is wanted, which takes as long again as the gradient.
        """
        value, gradient = closed_form(self.distance, theta, self.anchor, self.weight, blocks, buffer, valued)
        if value is not None and self.constant is not None:
            value = value + self.constant
        return value, gradient.zero_() if self.decoupled else gradient

    def shrink(self, theta: Tensor, before: Tensor, rate: Tensor, blocks: Sequence[slice]) -> None:
        """Apply a decoupled pull to θ after the optimiser's step, in place; see `distances.shrink`."""
        shrink(self.distance, theta, before, self.anchor, self.weight, rate, blocks)

    def squared_distance(self, theta: Tensor) -> Tensor:
        """Return ‖θ − θ*‖₂² over what is held, `[lane]`; of several anchors the latest counts."""
        apart = theta - (self.anchor if self.anchor.dim() == 2 else self.anchor[:, -1])
        return (apart if self.held is None else apart * self.held).square().sum(1)


def anchor_distance(pulls: Sequence[Pull], theta: Tensor) -> Tensor:
    """Return √ Σ over pulls of ‖θ − θ*‖₂², `[lane]`."""
    return torch.stack([pull.squared_distance(theta) for pull in pulls]).sum(0).sqrt()
