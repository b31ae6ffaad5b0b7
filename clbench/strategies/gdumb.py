"""GDumb: a balanced memory, and training from scratch on it alone. A yardstick for all others."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from clbench.context import Context, State
from clbench.fields import count
from clbench.strategies.base import Strategy
from clbench.strategies.replay_buffer import ReplayBuffer


@dataclass(frozen=True)
class GDumb(Strategy):
    """Every stage starts again from θ at step 0 and trains on a class-balanced memory of all tasks so far.

    The memory takes the stage's own samples before it trains, so the first stage differs from naive's: its
    data is the memory. A new class takes places from the largest ones, as in the paper. Of a class that comes
    back all samples seen are equally likely to be held; the paper's sampler keeps the first ones, which by
    domain are the first task's alone, see `balance`.

    Between two stages θ goes back to the initialisation. The optimiser's state is not the strategy's: use
    `optimizer.reset=true` for a training that is truly from scratch. The authors train once, at the end, for
    as long as it takes; here a stage is as long as `training` says.

    Args:
        buffer_size: samples kept in all, equal parts for all classes seen.

    Source: Prabhu, Torr & Dokania 2020.
    """

    buffer_size: int = count(500)

    @property
    def buffer(self) -> ReplayBuffer:
        """What is kept of the tasks so far, the stage's own included."""
        return ReplayBuffer(self.buffer_size, "balanced")

    def start(self, context: Context) -> State:
        return self.buffer.empty(context)

    def data(self, context: Context, state: State, address: Tensor) -> Tensor:
        """Offer the stage's samples to the memory, and return what it holds."""
        for name, value in self.buffer.offer(context, state).items():
            state[name].copy_(value)
        held = min(self.buffer_size, int(state["seen"][0].sum()))  # the same in every lane
        return state["buffer"][:, :held].contiguous()

    def consolidate(self, context: Context, state: State) -> State:
        """Put θ back to step 0."""
        context.theta.copy_(context.initial_theta())
        return state
