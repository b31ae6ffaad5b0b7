"""Dark experience replay: stored samples with the outputs that the network once gave them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from clbench.strategies.base import Batch, State, Strategy
from clbench.strategies.learner import Learner
from clbench.strategies.memory import draw_places, empty, reservoir_slots, uniform
from clbench.strategies.remembering import memory_problems


@dataclass(frozen=True)
class DarkReplay(Strategy):
    """L = L_new + α · mean_{x of the memory} mean_outputs (f(x) − z)² + β · L(memory') (DER; DER++ with β).

    z are the outputs (logits of all outputs, without mask) that x had when it was stored: every sample of
    every batch is offered to the memory with the outputs of that very step, from the first stage on, and
    kept as a reservoir keeps it. The two memory batches are drawn apart, each of `replay` samples, uniformly
    and with replacement. Replay starts with the second task (the authors' starts at once), so the first
    stage's θ are naive's.

    Args:
        alpha: α ≥ 0, weight of the distillation.
        beta: β ≥ 0, weight of the replayed task loss; 0 for DER.
        memory: samples kept; 0 is naive.
        replay: samples drawn for each of the two; null for as many as the batch has.

    Source: Buzzega et al. 2020.
    """

    alpha: float = 0.5
    beta: float = 0.0
    memory: int = 500
    replay: int | None = None

    ALL_OUTPUTS: ClassVar[bool] = True

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        found = memory_problems(self.memory, self.replay)
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                found.append(f"strategy.{name} must be finite and at least 0; got strategy.{name}={value}.")
        return found

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return what fills the memory in the first stage, and all fields later."""
        if self.memory == 0 or phase == "consolidate":
            return None
        return self.fields("alpha", "beta", "replay") if stage == 0 else self.fields()

    def acts(self, place: str) -> bool:
        """Tell whether the strategy acts at a place; without a memory nowhere."""
        return self.memory > 0 and Strategy.acts(self, place)

    def start(self, learner: Learner) -> State:
        """Return an empty memory, with one place more for what is not kept."""
        shape = (learner.lanes, self.memory + 1, learner.outputs)
        return {
            **empty(learner, self.memory + 1),
            "logits": torch.zeros(shape, dtype=learner.theta.dtype, device=learner.device),
        }

    def batch_data(self, learner: Learner, state: State, address: Tensor) -> tuple[Tensor, Tensor] | None:
        """Draw both memory batches, once a task is past: the first for α, the second for β."""
        if learner.stage == 0:
            return None
        count = self.replay or address.shape[1]
        filled = state["seen"].clamp(max=self.memory)
        places = draw_places(learner, state, filled, 2 * count)
        state["_places"] = places
        if f"_weight/{count}" not in state:
            beta = torch.as_tensor(self.beta, dtype=torch.float32, device=learner.device)
            weight = torch.zeros(learner.lanes, 2 * count, device=learner.device)
            weight[:, count:] = beta.reshape(-1, 1) / count
            state[f"_weight/{count}"] = weight
        return state["memory"].gather(1, places), state[f"_weight/{count}"]

    def output_loss(self, learner: Learner, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        """Return the distillation, and offer the batch's own samples with their outputs to the memory."""
        if learner.stage == 0:
            loss = torch.zeros(learner.lanes, dtype=outputs.dtype, device=outputs.device)
        else:
            count = (outputs.shape[1] - batch.new) // 2
            places = state["_places"][:, :count, None].expand(-1, -1, learner.outputs)
            stored = state["logits"].gather(1, places)
            apart = outputs[:, batch.new : batch.new + count] - stored
            loss = self.alpha * apart.square().mean((1, 2))
        self._offer(learner, state, batch.address[:, : batch.new], outputs[:, : batch.new].detach())
        return loss

    def _offer(self, learner: Learner, state: State, address: Tensor, outputs: Tensor) -> None:
        numbers = uniform(learner, state, "memory/offer", address.shape[1])
        slots = reservoir_slots(self.memory, state["seen"], numbers)
        state["memory"].scatter_(1, slots, address)
        state["logits"].scatter_(1, slots[..., None].expand_as(outputs), outputs)
        state["seen"].add_(address.shape[1])
