"""What a strategy is: a frozen dataclass that acts at six places and keeps nothing outside its state.

The loop knows only these places: choose the data of a stage, add a loss on the outputs, add a penalty
on the parameters, change the gradient, observe a step, consolidate at the end of a stage. Inside a
program a strategy's fields annotated `float` are tensors `[lane]`, so the code is written for one run
and everything that varies enters as data.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from clbench.context import Batch, Context, State
from clbench.models.base import Layout
from clbench.streams.base import Stream


class Strategy(ABC):  # noqa: B024  every place has a default, so nothing is abstract
    """How forgetting is fought. Every place has a default that does nothing.

    Subclass it with `@dataclass(frozen=True)`, and override only the places where it acts; the engine
    skips the others. λ is the field `lam`.
    """

    role: ClassVar[str] = ""
    """What it is to a comparison: `naive`, `joint`, `cumulative`; recorded with every run."""

    ALL_OUTPUTS: ClassVar[bool] = False
    """Whether its loss on the outputs reaches those of tasks to come too."""

    def problems(self) -> list[str]:
        """Return one line (rule; got; what to do) per field that is out of bounds."""
        return []

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return one line per field that does not fit a stream or the model's parameters."""
        return []

    # Sharing ------------------------------------------------------------------------------------

    def shaping(self, stage: int, phase: str) -> Mapping[str, Any] | None:
        """Return what of this strategy shapes a phase (`train`, `consolidate`) of a stage.

        Runs that agree on it (and on all before) share the phase. None: the strategy does not act, so
        the phase is shared with every other strategy that does not. The default is always right and
        shares nothing between different configurations.
        """
        return self.fields()

    def fields(self, *without: str) -> dict[str, Any]:
        """Return this strategy's class and fields by name, for `shaping`."""
        values = {key: value for key, value in vars(self).items() if key not in without}
        return {"class": f"{type(self).__module__}.{type(self).__qualname__}", **values}

    # The six places -----------------------------------------------------------------------------

    def start(self, context: Context) -> State:
        """Return the state at the first phase in which the strategy acts."""
        return {}

    def stage_tasks(self, stage: int, tasks: int) -> tuple[int, ...]:
        """Choose the tasks whose training data a stage uses."""
        return (stage,)

    def paced_by(self, stage: int, tasks: int) -> tuple[int, ...]:
        """Choose the tasks whose number of samples sets the steps of a stage trained by epochs."""
        return self.stage_tasks(stage, tasks)

    def stage_data(self, context: Context, state: State, address: Tensor) -> Tensor:
        """Choose the data of a stage: addresses `[lane, samples]`, given the stage's own."""
        return address

    def batch_data(self, context: Context, state: State, address: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return `(address [lane, memory], weight)` to add to a batch, or None.

        The weight is `[memory]` or `[lane, memory]`; or that of the whole batch, own samples first
        (`[batch + memory]` or with lanes), where those should not keep their 1 / batch.
        """
        return None

    def output_loss(self, context: Context, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        """Return a loss on the outputs, `[lane]`, differentiable in `outputs` `[lane, batch, outputs]`."""
        raise NotImplementedError

    def penalty(self, context: Context, state: State, theta: Tensor) -> Tensor:
        """Return the penalty, λ included, `[lane]`, differentiable in `theta` `[lane, padded]`."""
        raise NotImplementedError

    def penalty_gradient(self, context: Context, state: State, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the penalty `[lane]` and its gradient `[lane, padded]` in closed form.

        Only needed where autograd through `penalty` is too slow; the default place calls autograd.
        """
        raise NotImplementedError

    def change_gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        """Change the task gradient `[lane, padded]` in place, before the penalty's is added."""
        raise NotImplementedError

    def observe_step(self, context: Context, state: State) -> None:
        """Look at a step after it was taken, and change the state's tensors or θ in place."""
        raise NotImplementedError

    def consolidate(self, context: Context, state: State) -> State:
        """Return the state after a stage has ended (and before the next one begins)."""
        return state

    def anchor_distance(self, context: Context, state: State) -> Tensor | None:
        """Return ‖θ − θ*‖₂ over what the strategy holds, `[lane]`, or None where it has no anchor."""
        anchor = state.get("anchor")
        return None if anchor is None else (context.theta - anchor).square().sum(1).sqrt()

    def learning_rate_factors(self, layout: Layout, stage: int) -> Tensor | None:
        """Return the factor on every element's step in a stage, `[padded]`, 0 where frozen; None: all 1."""
        return None

    def acts(self, place: str) -> bool:
        """Tell whether this class overrides a place."""
        return getattr(type(self), place) is not getattr(Strategy, place)
