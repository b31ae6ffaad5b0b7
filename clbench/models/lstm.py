"""A long short-term memory over lanes, forward and backward through time written by hand.

    i, f, o = σ(·), g = tanh(·) of W_ih x_t + b_ih + W_hh h_{t−1} + b_hh   (in the order i, f, g, o)
    c_t = f c_{t−1} + i g,   h_t = o tanh(c_t),   h_0 = c_0 = 0

as in `torch.nn.LSTM` (Hochreiter and Schmidhuber 1997, with forget gates of Gers 2000). Time is the
second dimension, `[lane, time, batch, …]`, so that products over all of time and batch are one call.
Sequences are padded on the right: what follows a sequence's end never reaches its own states.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.models.buffers import lane_buffer
from clbench.models.lane_product import multiply

_aten = torch.ops.aten


@dataclass(frozen=True)
class LSTM:
    """Views of the parameters and of where their gradients go.

    Args:
        weight_ih: `[lane, 4 hidden, in]`.
        weight_hh: `[lane, 4 hidden, hidden]`.
        bias_ih, bias_hh: `[lane, 1, 4 hidden]`.
        slopes: views of the gradients by the same names, the biases' `[lane, 4 hidden]`.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor
    slopes: dict[str, Tensor]

    @classmethod
    def of(cls, name: str, values: dict[str, Tensor], slopes: dict[str, Tensor]) -> LSTM:
        """Return the layer `name` of views of parameters and of gradients (see `Layout.views`)."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        own = [values[f"{name}.{part}"] for part in names]
        return cls(
            own[0],
            own[1],
            own[2].unsqueeze(1),
            own[3].unsqueeze(1),
            {part: slopes[f"{name}.{part}"] for part in names},
        )

    def run(self, x: Tensor, room: LSTMRoom) -> Tensor:
        """Return the states `[lane, time, batch, hidden]` of inputs `[lane, time, batch, in]`."""
        inputs, recurrent = (
            weight.transpose(1, 2).contiguous() for weight in (self.weight_ih, self.weight_hh)
        )
        all_gates = room.gates.flatten(1, 2)
        multiply(x.flatten(1, 2), inputs, all_gates.copy_(self.bias_ih + self.bias_hh), add=True)
        for t in range(room.gates.shape[1]):
            gates, cell = room.gates[:, t], room.cells[:, t]
            if t:
                multiply(room.states[:, t - 1], recurrent, gates, add=True)
            # σ(z) = (1 + tanh(z/2)) / 2 in i, f, o: one tanh serves all four gates.
            torch.addcmul(room.offset, gates.mul_(room.scale).tanh_(), room.scale, out=gates)
            i, f, g, o = gates.chunk(4, 2)
            torch.mul(i, g, out=cell)
            if t:
                cell.addcmul_(f, room.cells[:, t - 1])
            torch.tanh(cell, out=room.squashed[:, t])
            torch.mul(o, room.squashed[:, t], out=room.states[:, t])
        return room.states

    def send_back(self, state_errors: Tensor, room: LSTMRoom) -> None:
        """Fill `room.errors`, ∂loss/∂(gates before their activation), given ∂loss/∂states (destroyed)."""
        errors, carry, passed = room.errors, room.carry, room.passed
        last = errors.shape[1] - 1
        for t in range(last, -1, -1):
            above, gates, squashed = state_errors[:, t], room.gates[:, t], room.squashed[:, t]
            if t < last:
                multiply(errors[:, t + 1], self.weight_hh, above, add=True)
            i, _, g, o = gates.chunk(4, 2)
            error_i, error_f, error_g, error_o = errors[:, t].chunk(4, 2)
            torch.mul(above, squashed, out=error_o)
            torch.mul(above, o, out=passed)
            _aten.tanh_backward.grad_input(passed, squashed, grad_input=passed)
            if t < last:  # ∂loss/∂c_t = what h_t passes on, and what c_{t+1} does through its forget gate
                torch.addcmul(passed, carry, room.gates[:, t + 1].chunk(4, 2)[1], out=carry)
            else:
                carry.copy_(passed)
            torch.mul(carry, g, out=error_i)
            torch.mul(carry, i, out=error_g)
            if t:  # at the start c_{t−1} = 0, and the buffer's zeros stay
                torch.mul(carry, room.cells[:, t - 1], out=error_f)
            for error, gate in ((error_i, i), (error_f, gates.chunk(4, 2)[1]), (error_o, o)):
                _aten.sigmoid_backward.grad_input(error, gate, grad_input=error)
            _aten.tanh_backward.grad_input(error_g, g, grad_input=error_g)

    def input_errors(self, room: LSTMRoom, out: Tensor) -> None:
        """Write ∂loss/∂inputs `[lane, time, batch, in]` into `out`."""
        multiply(room.errors.flatten(1, 2), self.weight_ih, out.flatten(1, 2))

    def collect(self, x: Tensor, room: LSTMRoom, part: slice) -> None:
        """Overwrite the gradients with the sum over time and a part of the batch."""
        errors, slopes = room.errors[:, :, part], self.slopes
        flat = errors.flatten(1, 2)
        multiply(flat.transpose(1, 2), x[:, :, part].flatten(1, 2), slopes["weight_ih"])
        if errors.shape[1] > 1:
            before, after = room.states[:, :-1, part].flatten(1, 2), errors[:, 1:].flatten(1, 2)
            multiply(after.transpose(1, 2), before, slopes["weight_hh"])
        else:
            slopes["weight_hh"].zero_()
        torch.sum(flat, 1, out=slopes["bias_ih"])
        slopes["bias_hh"].copy_(slopes["bias_ih"])


class LSTMRoom:
    """The buffers of one length and batch size; those of the backward pass come with its first use."""

    def __init__(self, like: Tensor, lanes: int, time: int, batch: int, hidden: int) -> None:
        """Make the buffers of the forward pass, of the dtype and device of `like`."""
        self._errors: Tensor | None = None
        self.gates = lane_buffer(like, lanes, time, batch, 4 * hidden)
        self.cells, self.squashed, self.states = (
            lane_buffer(like, lanes, time, batch, hidden) for _ in range(3)
        )
        self.carry, self.passed = (lane_buffer(like, lanes, batch, hidden) for _ in range(2))
        logistic = like.new_tensor([True, True, False, True]).repeat_interleave(hidden)
        self.scale, self.offset = 1 - logistic / 2, logistic / 2

    @property
    def errors(self) -> Tensor:
        """∂loss/∂(gates before their activation), `[lane, time, batch, 4 hidden]`."""
        if self._errors is None:
            self._errors = lane_buffer(self.gates, *self.gates.shape)
        return self._errors
