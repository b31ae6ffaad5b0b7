"""Dark experience replay: stored samples with the outputs that the network once gave them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import count, number
from clbench.strategies.acts import Acts, Replay
from clbench.strategies.base import Strategy
from clbench.strategies.distillation import Distillation
from clbench.strategies.replay_buffer import empty, filled_places, reservoir_slots, uniforms


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
        found = Acts(replay=self.replay, distillations=self.distillations)
        return found._replace(all_outputs=True) if stage else found._replace(shaped_by=("buffer_size",))

    def start(self, context: Context) -> State:
        """Return an empty memory, with one place more for what is not kept."""
        shape = (context.lanes, self.buffer_size + 1, context.outputs)
        return {
            **empty(context, self.buffer_size + 1),
            "logits": torch.zeros(shape, dtype=context.theta.dtype, device=context.device),
        }

    def replay(self, context: Context, state: State, address: Tensor, steps: range) -> Replay:
        """Draw both memory batches, the first for α, the second for β, and offer the own samples."""
        own, size = address.shape[2], self.buffer_size
        count = (self.replay_batch_size or own) if context.stage else 0
        seen = state["seen"] + own * torch.arange(len(steps), device=context.device)[:, None, None]
        places = filled_places(uniforms(context, "memory/draw", 2 * count, steps), seen.clamp(max=size))
        slots = reservoir_slots(size, seen, uniforms(context, "memory/offer", own, steps))
        drawn = torch.empty_like(places)
        for index in range(len(steps)):
            torch.gather(state["buffer"], 1, places[index], out=drawn[index])
            state["buffer"].scatter_(1, slots[index], address[index])
        state["seen"].add_(own * len(steps))
        return Replay(drawn, self._weight(context, count), places[..., :count], slots)

    def distillations(self, context: Context, state: State) -> tuple[Distillation, ...]:
        """Return what the outputs of the first memory batch are held to."""
        return (Distillation(state["logits"], weight=self.alpha),)

    def _weight(self, context: Context, count: int) -> Tensor:
        """Return the weights of both memory batches in the task loss, 0 and β / count."""
        weight = torch.zeros(context.lanes, 2 * count, device=context.device)
        beta = torch.as_tensor(self.beta, dtype=torch.float32, device=context.device)
        weight[:, count:] = beta.reshape(-1, 1) / max(count, 1)
        return weight
