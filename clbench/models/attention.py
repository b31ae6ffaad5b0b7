"""Additive attention that pools the states of a sequence, over lanes.

    s_t = vᵀ tanh(W h_t + b),   α = softmax of s over the sequence's own positions,   Σ_t α_t h_t

Bahdanau, Cho and Bengio 2015 («Neural machine translation by jointly learning to align and translate»)
without a query, as Yang et al. 2016 pool words. Positions of padding have α = 0 exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.models.buffers import lane_buffer
from clbench.models.dense_layer import DenseLayer
from clbench.models.lane_product import multiply

_aten = torch.ops.aten


@dataclass(frozen=True)
class AdditiveAttention:
    """The two dense layers of the scores.

    Args:
        projection: W `[lane, attention, hidden]` and b.
        score: v `[lane, 1, attention]`, without a bias, which the softmax would cancel.
    """

    projection: DenseLayer
    score: DenseLayer

    @classmethod
    def of(cls, name: str, values: dict[str, Tensor], slopes: dict[str, Tensor]) -> AdditiveAttention:
        """Return the layer `name` of views of parameters and of gradients (see `Layout.views`)."""
        parts = (DenseLayer.of(f"{name}.{part}", values, slopes) for part in ("projection", "score"))
        return cls(*parts)

    def run(self, states: Tensor, padding: Tensor, room: AttentionRoom) -> Tensor:
        """Return the pooled features `[lane, batch, hidden]`.

        Args:
            states: `[lane, time, batch, hidden]`.
            padding: bool `[lane, time, batch]`, True where nothing is to be looked at; every sequence
                has at least one position without it.
            room: the buffers.
        """
        keys, weights = room.keys, room.weights
        self.projection.affine(states.flatten(1, 2), keys.flatten(1, 2))
        keys.tanh_()
        self.score.affine(keys.flatten(1, 2), weights.flatten(1, 2).unsqueeze(2))
        # The softmax is written out, because every step of it must round alike at every position.
        weights.masked_fill_(padding, float("-inf"))
        weights.sub_(weights.amax(1, keepdim=True)).exp_()
        weights.div_(weights.sum(1, keepdim=True))
        torch.mul(states, weights.unsqueeze(3), out=room.product)
        return torch.sum(room.product, 1, out=room.features)

    def send_back(self, errors: Tensor, states: Tensor, room: AttentionRoom) -> Tensor:
        """Return ∂loss/∂states (a buffer), given ∂loss/∂features `[lane, batch, hidden]`."""
        errors, weights = errors.unsqueeze(1), room.weights
        torch.mul(states, errors, out=room.product)
        torch.sum(room.product, 3, out=room.score_errors)
        mean = (weights * room.score_errors).sum(1, keepdim=True)
        room.score_errors.sub_(mean).mul_(weights)
        flat = room.key_errors.flatten(1, 2)
        torch.mul(room.score_errors.flatten(1, 2).unsqueeze(2), self.score.weight, out=flat)
        _aten.tanh_backward.grad_input(room.key_errors, room.keys, grad_input=room.key_errors)
        torch.mul(weights.unsqueeze(3), errors, out=room.product)
        multiply(flat, self.projection.weight, room.product.flatten(1, 2), add=True)
        return room.product

    def collect(self, states: Tensor, room: AttentionRoom, part: slice) -> None:
        """Overwrite the gradients with the sum over time and a part of the batch."""
        keys, errors = room.keys[:, :, part], room.score_errors[:, :, part]
        self.score.collect(errors.flatten(1, 2).unsqueeze(2), keys.flatten(1, 2))
        below = room.key_errors[:, :, part].flatten(1, 2)
        self.projection.collect(below, states[:, :, part].flatten(1, 2))


class AttentionRoom:
    """The buffers of one length and batch size; those of the backward pass come with its first use."""

    def __init__(self, like: Tensor, lanes: int, time: int, batch: int, hidden: int, attention: int) -> None:
        """Make the buffers of the forward pass, of the dtype and device of `like`."""
        self._errors: tuple[Tensor, Tensor] | None = None
        self.keys = lane_buffer(like, lanes, time, batch, attention)
        self.weights = lane_buffer(like, lanes, time, batch)
        self.product = lane_buffer(like, lanes, time, batch, hidden)
        self.features = lane_buffer(like, lanes, batch, hidden)

    @property
    def key_errors(self) -> Tensor:
        """∂loss/∂(keys before tanh), `[lane, time, batch, attention]`."""
        return self._backward()[0]

    @property
    def score_errors(self) -> Tensor:
        """∂loss/∂scores, `[lane, time, batch]`."""
        return self._backward()[1]

    def _backward(self) -> tuple[Tensor, Tensor]:
        if self._errors is None:
            self._errors = (
                lane_buffer(self.keys, *self.keys.shape),
                lane_buffer(self.weights, *self.weights.shape),
            )
        return self._errors
