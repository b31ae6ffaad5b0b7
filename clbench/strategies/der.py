"""Dark experience replay: stored samples with the outputs that the network once gave them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from clbench.context import Batch, Context, State
from clbench.strategies.base import Strategy
from clbench.strategies.remembering import memory_problems
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

    alpha: float = 0.5
    beta: float = 0.0
    buffer_size: int = 500
    replay_batch_size: int | None = None

    ALL_OUTPUTS: ClassVar[bool] = True

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = memory_problems(self.buffer_size, self.replay_batch_size)
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                found.append(f"strategy.{name} must be finite and at least 0; got strategy.{name}={value}.")
        return found

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return what fills the memory in the first stage, and all fields later."""
        if self.buffer_size == 0 or phase == "consolidate":
            return None
        return self.fields("alpha", "beta", "replay_batch_size") if stage == 0 else self.fields()

    def acts(self, place: str) -> bool:
        """Tell whether the strategy acts at a place; without a memory nowhere."""
        return self.buffer_size > 0 and Strategy.acts(self, place)

    def start(self, context: Context) -> State:
        """Return an empty memory, with one place more for what is not kept."""
        shape = (context.lanes, self.buffer_size + 1, context.outputs)
        return {
            **empty(context, self.buffer_size + 1),
            "logits": torch.zeros(shape, dtype=context.theta.dtype, device=context.device),
        }

    def batch_data(self, context: Context, state: State, address: Tensor) -> tuple[Tensor, Tensor] | None:
        """Draw both memory batches, once a task is past: the first for α, the second for β."""
        if context.stage == 0:
            return None
        count = self.replay_batch_size or address.shape[1]
        filled = state["seen"].clamp(max=self.buffer_size)
        places = draw_places(context, state, filled, 2 * count)
        state["_places"] = places
        if f"_weight/{count}" not in state:
            beta = torch.as_tensor(self.beta, dtype=torch.float32, device=context.device)
            weight = torch.zeros(context.lanes, 2 * count, device=context.device)
            weight[:, count:] = beta.reshape(-1, 1) / count
            state[f"_weight/{count}"] = weight
        return state["buffer"].gather(1, places), state[f"_weight/{count}"]

    def output_loss(self, context: Context, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        """Return the distillation, and offer the batch's own samples with their outputs to the memory."""
        if context.stage == 0:
            loss = torch.zeros(context.lanes, dtype=outputs.dtype, device=outputs.device)
        else:
            count = (outputs.shape[1] - batch.new) // 2
            places = state["_places"][:, :count, None].expand(-1, -1, context.outputs)
            stored = state["logits"].gather(1, places)
            apart = outputs[:, batch.new : batch.new + count] - stored
            loss = self.alpha * apart.square().mean((1, 2))
        self._offer(context, state, batch.address[:, : batch.new], outputs[:, : batch.new].detach())
        return loss

    def _offer(self, context: Context, state: State, address: Tensor, outputs: Tensor) -> None:
        numbers = uniform(context, state, "memory/offer", address.shape[1])
        slots = reservoir_slots(self.buffer_size, state["seen"], numbers)
        state["buffer"].scatter_(1, slots, address)
        state["logits"].scatter_(1, slots[..., None].expand_as(outputs), outputs)
        state["seen"].add_(address.shape[1])
