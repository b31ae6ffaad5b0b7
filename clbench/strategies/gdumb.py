"""GDumb: a balanced memory, and training from scratch on it alone. A yardstick for all others."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from clbench.strategies.base import State, Strategy
from clbench.strategies.learner import Learner
from clbench.strategies.memory import empty, keep


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
        memory: samples kept in all, equal parts for all classes seen.

    Source: Prabhu, Torr & Dokania 2020.
    """

    memory: int = 500

    def problems(self) -> list[str]:
        """Return one line per rule that these fields break."""
        if self.memory >= 1:
            return []
        return [
            "GDumb learns from its memory alone, which must hold at least 1 sample; "
            f"got strategy.memory={self.memory}."
        ]

    def start(self, learner: Learner) -> State:
        """Return an empty memory."""
        return empty(learner, self.memory, learner.outputs)

    def stage_data(self, learner: Learner, state: State, address: Tensor) -> Tensor:
        """Offer the stage's samples to the memory, and return what it holds."""
        state["memory"], state["seen"] = keep("balanced", learner, state["memory"], state["seen"])
        held = min(self.memory, int(state["seen"][0].sum()))  # the same in every lane
        return state["memory"][:, :held].contiguous()

    def consolidate(self, learner: Learner, state: State) -> State:
        """Put θ back to step 0."""
        learner.theta.copy_(learner.initial_theta())
        return state
