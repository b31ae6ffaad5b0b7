"""Dark experience replay: stored samples with the outputs that the network once gave them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Batch, Context, State
from clbench.fields import count, number
from clbench.strategies.acts import Acts
from clbench.strategies.base import Strategy
from clbench.strategies.replay_buffer import draw_places, empty, reservoir_slots, uniform


@dataclass(frozen=True)
class DarkReplay(Strategy):
    """L = L_new + α · mean_{x of the memory} mean_outputs (f(x) − z)² + β · L(memory') (DER; DER++ with β).

    z are the outputs (logits of all outputs, without mask) that x had when it was stored: every sample of
    every batch is offered to the memory with the outputs of that very step, from the first stage on, and
    kept as a reservoir keeps it. The two memory batches are drawn apart, each of `replay_batch_size`
    samples, uniformly and with replacement. Replay starts with the second task (the authors' starts at once),
    so the first stage's θ are naive's.

    Args:
        alpha: α ≥ 0, weight of the distillation.
        beta: β ≥ 0, weight of the replayed task loss; 0 for DER.
        buffer_size: samples kept; 0 is naive.
        replay_batch_size: samples drawn for each of the two; null for as many as the batch has.

    Source: Buzzega et al. 2020.
    """

    alpha: float = number(0.5, low=0)
    beta: float = number(0.0, low=0)
    buffer_size: int = count(500, low=0)
    replay_batch_size: int | None = count(None, none="as many as the batch has")

    def at(self, stage: int) -> Acts:
        if self.buffer_size == 0:
            return Acts()
        if stage == 0:
            return Acts(loss=self.remember, shaped_by=("buffer_size",))
        return Acts(batch=self.batch, loss=self.loss, all_outputs=True)

    def start(self, context: Context) -> State:
        """Return an empty memory, with one place more for what is not kept."""
        shape = (context.lanes, self.buffer_size + 1, context.outputs)
        return {
            **empty(context, self.buffer_size + 1),
            "logits": torch.zeros(shape, dtype=context.theta.dtype, device=context.device),
        }

    def batch(self, context: Context, state: State, address: Tensor) -> tuple[Tensor, Tensor]:
        """Draw both memory batches: the first for α, the second for β."""
        count = self.replay_batch_size or address.shape[1]
        filled = state["seen"].clamp(max=self.buffer_size)
        places = draw_places(context, filled, 2 * count)
        context.scratch["der/places"] = places
        if ("der/weight", count) not in context.scratch:
            beta = torch.as_tensor(self.beta, dtype=torch.float32, device=context.device)
            weight = torch.zeros(context.lanes, 2 * count, device=context.device)
            weight[:, count:] = beta.reshape(-1, 1) / count
            context.scratch["der/weight", count] = weight
        return state["buffer"].gather(1, places), context.scratch["der/weight", count]

    def loss(self, context: Context, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        """Return the distillation, and offer the batch's own samples to the memory."""
        count = (outputs.shape[1] - batch.new) // 2
        places = context.scratch["der/places"][:, :count, None].expand(-1, -1, context.outputs)
        stored = state["logits"].gather(1, places)
        apart = outputs[:, batch.new : batch.new + count] - stored
        self.remember(context, state, batch, outputs)
        return self.alpha * apart.square().mean((1, 2))

    def remember(self, context: Context, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        """Offer the batch's own samples, with their outputs, to the memory; return the loss 0."""
        address, logits = batch.address[:, : batch.new], outputs[:, : batch.new].detach()
        numbers = uniform(context, "memory/offer", batch.new)
        slots = reservoir_slots(self.buffer_size, state["seen"], numbers)
        state["buffer"].scatter_(1, slots, address)
        state["logits"].scatter_(1, slots[..., None].expand_as(logits), logits)
        state["seen"].add_(batch.new)
        return torch.zeros(context.lanes, dtype=outputs.dtype, device=outputs.device)
