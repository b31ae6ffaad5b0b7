"""Embedding → LSTM → additive attention → dense (→ adapter), bound to the flat parameters of lanes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clbench.models.attention import AdditiveAttention, AttentionRoom
from clbench.models.base import Layout, Network
from clbench.models.buffers import lane_buffer
from clbench.models.dense_layer import DenseLayer
from clbench.models.lstm import LSTM, LSTMRoom

PADDING = 0
"""The token that fills a sequence up."""
BLOCK_SAMPLES = 64
"""Samples that a prediction takes at a time, which bounds its memory."""
_ALL = slice(None)


@dataclass(frozen=True)
class _Blocks:
    """The layers as views of the parameters and of one place for their gradients."""

    embedding: Tensor
    embedding_gradient: Tensor
    lstm: LSTM
    attention: AdditiveAttention
    head: DenseLayer
    adapter: DenseLayer | None

    @classmethod
    def of(cls, layout: Layout, theta: Tensor, gradient: Tensor) -> _Blocks:
        """Return the layers over `theta` and `gradient`, `[lane, padded]`."""
        values, slopes = layout.views(theta), layout.views(gradient)
        return cls(
            embedding=values["embedding.weight"],
            embedding_gradient=slopes["embedding.weight"],
            lstm=LSTM.of("lstm", values, slopes),
            attention=AdditiveAttention.of("attention", values, slopes),
            head=DenseLayer.of("head", values, slopes),
            adapter=DenseLayer.of("adapter", values, slopes) if "adapter.weight" in values else None,
        )


class _Room:
    """The buffers of one batch size. Time is the second dimension, `[lane, time, batch, …]`."""

    def __init__(self, blocks: _Blocks, time: int, batch: int) -> None:
        like = blocks.embedding
        lanes, _, width = like.shape
        hidden, outputs = blocks.head.weight.shape[2], blocks.head.weight.shape[1]
        self.tokens = torch.zeros(lanes, time, batch, dtype=torch.int64, device=like.device)
        self.padding = torch.zeros(lanes, time, batch, dtype=torch.bool, device=like.device)
        self.lane = torch.arange(lanes, device=like.device)[:, None, None]
        self.x = lane_buffer(like, lanes, time, batch, width)
        self.lstm = LSTMRoom(like, lanes, time, batch, hidden)
        keys = blocks.attention.projection.weight.shape[1]
        self.attention = AttentionRoom(like, lanes, time, batch, hidden, keys)
        self.logits = lane_buffer(like, lanes, batch, outputs)
        self.joined = lane_buffer(like, lanes, batch, outputs + hidden)
        self.outputs = lane_buffer(like, lanes, batch, outputs)
        self.output_errors = self.outputs
        self.logit_errors = self.outputs
        self.feature_errors = lane_buffer(like, lanes, batch, hidden)
        self.joined_errors = lane_buffer(like, lanes, batch, outputs + hidden)

    @cached_property
    def input_errors(self) -> Tensor:
        """∂loss/∂x, which only the backward pass below an adapter needs."""
        return lane_buffer(self.x, *self.x.shape)


class SequenceNetwork(Network):
    """The sequence classifier of some lanes.

    Inputs are tokens `[lane, batch, time]`, padded on the right with 0; a sequence of nothing but
    padding is read as one padding token. `backward` and `squared_gradients` leave what `forward` kept as
    it is; `predict` has buffers of its own. A result is valid until the next call of the same method.

    Args:
        layout: see `SequenceClassifier.layout`.
        theta, gradient: `[lane, padded]`.
    """

    def __init__(self, layout: Layout, theta: Tensor, gradient: Tensor) -> None:
        """Take views of the flat tensors; buffers come with the first batch."""
        self._layout, self._theta, self._gradient = layout, theta, gradient
        self._blocks = _Blocks.of(layout, theta, gradient)
        self._below = [parameter.name for parameter in layout.parameters if "adapter" not in parameter.name]
        self._only_adapter = False
        self._rooms: dict[tuple[str, int, int], _Room] = {}
        self._room: _Room

    def freeze(self, names: Collection[str]) -> None:
        """Leave out the backward pass below the adapter when all below it is frozen."""
        self._only_adapter = self._blocks.adapter is not None and set(self._below) <= set(names)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, batch, outputs]`; see `Network.forward`."""
        self._room = self._take_room("train", inputs.shape[1], inputs.shape[2])
        return self._run(inputs, self._room)

    def backward(self, errors: Tensor) -> None:
        """Overwrite the gradient, given ∂loss/∂outputs; see `Network.backward`."""
        self._send_back(errors, self._room)
        if self._only_adapter:
            self._gradient.zero_()
        self._collect(self._blocks, self._room, _ALL)

    def predict(self, inputs: Tensor) -> Tensor:
        """Return outputs `[lane, samples, outputs]`; see `Network.predict`."""
        found = []
        for block in inputs.split(BLOCK_SAMPLES, 1):
            room = self._take_room("predict", block.shape[1], block.shape[2])
            found.append(self._run(block, room).clone())
        return found[0] if len(found) == 1 else torch.cat(found, 1)

    def squared_gradients(self, errors: Tensor) -> Tensor:
        """Return Σ_n g_n², `[lane, padded]`, for the inputs of the last `forward`.

        Errors are sent back for all samples at once; the gradients g_n are collected sample by sample,
        since a weight's entry sums over time before it is squared.
        """
        squares, single = torch.zeros_like(self._gradient), torch.zeros_like(self._gradient)
        blocks = _Blocks.of(self._layout, self._theta, single)
        self._send_back(errors, self._room)
        for sample in range(errors.shape[1]):
            self._collect(blocks, self._room, slice(sample, sample + 1))
            squares.addcmul_(single, single)
        return squares

    def _take_room(self, use: str, batch: int, time: int) -> _Room:
        key = (use, batch, time)
        if key not in self._rooms:
            self._rooms[key] = _Room(self._blocks, time, batch)
        return self._rooms[key]

    def _run(self, inputs: Tensor, room: _Room) -> Tensor:
        """Return the outputs of tokens `[lane or 1, batch, time]`, and keep all in `room`."""
        blocks = self._blocks
        room.tokens.copy_(inputs.transpose(1, 2))
        torch.eq(room.tokens, PADDING, out=room.padding)
        room.padding[:, 0] = False
        torch.ops.aten.index.Tensor_out(blocks.embedding, [room.lane, room.tokens], out=room.x)
        states = blocks.lstm.run(room.x, room.lstm)
        features = blocks.attention.run(states, room.padding, room.attention)
        blocks.head.affine(features, room.logits)
        if blocks.adapter is None:
            return room.logits
        torch.cat((room.logits, features), 2, out=room.joined)
        blocks.adapter.affine(room.joined, room.outputs)
        return room.outputs

    def _send_back(self, errors: Tensor, room: _Room) -> None:
        """Fill the errors of every layer in `room`, given those of the outputs."""
        blocks, room.output_errors = self._blocks, errors
        room.logit_errors = room.output_errors
        if blocks.adapter is not None:
            if self._only_adapter:
                return
            blocks.adapter.send_back(room.output_errors, room.joined_errors)
            outputs = errors.shape[2]
            room.logit_errors = room.joined_errors[:, :, :outputs]
        blocks.head.send_back(room.logit_errors, room.feature_errors)
        if blocks.adapter is not None:
            room.feature_errors.add_(room.joined_errors[:, :, outputs:])
        state_errors = blocks.attention.send_back(room.feature_errors, room.lstm.states, room.attention)
        blocks.lstm.send_back(state_errors, room.lstm)
        blocks.lstm.input_errors(room.lstm, room.input_errors)

    def _collect(self, blocks: _Blocks, room: _Room, part: slice) -> None:
        """Overwrite the gradients that `blocks` points to with the sum over a part of the batch."""
        if blocks.adapter is not None:
            blocks.adapter.collect(room.output_errors[:, part], room.joined[:, part])
            if self._only_adapter:
                return
        blocks.head.collect(room.logit_errors[:, part], room.attention.features[:, part])
        blocks.attention.collect(room.lstm.states, room.attention, part)
        blocks.lstm.collect(room.x, room.lstm, part)
        lanes, size, width = blocks.embedding.shape
        rows = torch.ops.aten.embedding_dense_backward(
            room.input_errors[:, :, part].reshape(-1, width),
            (room.tokens + room.lane * size)[:, :, part].reshape(-1),
            lanes * size,
            -1,
            False,
        )
        blocks.embedding_gradient.copy_(rows.view(lanes, size, width))
