"""Scores of one group of samples per lane; each agrees with scikit-learn's function of that name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of samples whose largest output is the target's, `[lane]`.

    Args:
        outputs: `[lane, samples, outputs]`, −inf where an output does not compete.
        targets: int64 `[lane, samples]`.
    """
    return (outputs.argmax(2) == targets).to(torch.float32).mean(1)


def f1_macro(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over classes of 2·tp / (2·tp + fp + fn), `[lane]`.

    Averaged over the classes that occur among the targets or the predictions, as scikit-learn does.
    """
    lanes, _, classes = outputs.shape
    place = torch.arange(lanes, device=outputs.device)[:, None] * classes
    predicted = outputs.argmax(2)

    def count(values: Tensor) -> Tensor:
        return torch.bincount(values.reshape(-1), minlength=lanes * classes).view(lanes, classes)

    hits = torch.zeros(lanes * classes, dtype=torch.int64, device=outputs.device)
    hits.scatter_add_(0, (targets + place).reshape(-1), (predicted == targets).reshape(-1).long())
    total = count(predicted + place) + count(targets + place)
    score = 2.0 * hits.view(lanes, classes) / total.clamp(min=1)
    return score.sum(1) / (total > 0).sum(1)


def rmse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return √ mean (o − y)², `[lane]`, in the targets' unit."""
    return (outputs - targets).square().flatten(1).mean(1).sqrt()


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return 1 − Σ(o − y)² / Σ(y − ȳ)², averaged over the outputs, `[lane]`.

    An output whose target is constant counts 1 where it is met exactly and 0 otherwise.
    """
    residual = (outputs - targets).square().sum(1)
    total = (targets - targets.mean(1, keepdim=True)).square().sum(1)
    constant = targets.amin(1) == targets.amax(1)
    return torch.where(constant, (residual == 0).to(total.dtype), 1 - residual / total).mean(1)


SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "accuracy": accuracy,
    # Every sample has one label and one prediction, so Σtp / (Σtp + ½(Σfp + Σfn)) is the accuracy.
    "f1_micro": accuracy,
    "f1_macro": f1_macro,
    "rmse": rmse,
    "r2": r2,
}
