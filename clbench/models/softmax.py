"""The softmax over few outputs, as fast as over many."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

VECTOR = 16
"""Floats of the longest vector of a CPU."""


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax over the outputs, `[lane, batch, outputs]`.

    Few outputs don't fill a vector: torch then takes them one by one, and as many samples side by side in a
    tenth of the time.
    """
    if logits.shape[2] > VECTOR:
        return functional.softmax(logits, 2)
    return functional.softmax(logits.transpose(1, 2).contiguous(), 1).transpose(1, 2).contiguous()
