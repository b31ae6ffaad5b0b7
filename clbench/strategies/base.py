"""What a strategy is: a frozen dataclass that declares where it acts and keeps nothing outside its state.

The loop knows only the places of `Acts`. Inside a program a strategy's fields of type `float` are tensors
`[lane]`, so the code is written for one run and everything that varies enters as data.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from clbench.context import Context, State
from clbench.errors import ConfigurationError
from clbench.fields import Part
from clbench.models.base import Layout
from clbench.strategies.acts import PLACES, Acts
from clbench.streams.base import Stream

Place = ClassVar[Callable[..., Any] | None]

FORMER = {
    "stage_data": "data",
    "batch_data": "batch",
    "output_loss": "loss",
    "change_gradient": "gradient",
    "observe_step": "after_step",
    "penalty_gradient": "pulls",
    "learning_rate_factors": "at (Acts.rates)",
    "stage_tasks": "at (Acts.tasks)",
    "paced_by": "at (Acts.epoch)",
    "shaping": "at (Acts.shaped_by)",
    "acts": "at",
}
"""What methods were called until 0.1, and what they are called now."""


@dataclass(frozen=True)
class Strategy(Part, ABC):  # noqa: B024  every place has a default, so nothing is abstract
    """How forgetting is fought.

    Subclass it with `@dataclass(frozen=True)`, and write a method for every place where it acts (see `Acts`).
    One that acts in some stages only, or whose fields don't all shape what it does, overrides `at`. λ is the
    field `lam`.
    """

    KEY: ClassVar[str] = "strategy"

    role: ClassVar[str] = ""
    """What it is to a comparison: `naive`, `joint`, `cumulative`; recorded with every run."""

    data: Place = None
    batch: Place = None
    replay: Place = None
    loss: Place = None
    distillations: Place = None
    penalty: Place = None
    pulls: Place = None
    gradient: Place = None
    sums: Place = None
    after_step: Place = None
    consolidate: Place = None

    def __init_subclass__(cls) -> None:
        """Refuse names that would be silently without effect.

        Raises:
            ConfigurationError: a method has a name of former days, or a field that of a place.
        """
        for name, now in FORMER.items():
            if name in vars(cls):
                raise ConfigurationError(
                    f"A strategy's {name} is now called {now}; got {cls.__qualname__}.{name}. "
                    "Rename it (clbench.strategies.Acts has what it is given and returns)."
                )
        for name in (*PLACES, "at", "start"):
            if name in vars(cls).get("__annotations__", {}):
                raise ConfigurationError(
                    f"A strategy's {name} is a method of its own and can't be a field; got "
                    f"{cls.__qualname__}.{name}. Choose another name for the field."
                )

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        """Return one line per field that does not fit a stream or the model's parameters."""
        return []

    def at(self, stage: int) -> Acts:
        """Return where the strategy acts in a stage, from 0: by default wherever the class has a method.

        It may depend on the stage and on fields that are the same for all lanes, never on numbers that vary.
        """
        return Acts(**{place: getattr(self, place) for place in PLACES})

    def start(self, context: Context) -> State:
        """Return the state at the first phase in which the strategy acts."""
        return {}

    def anchor_distance(self, context: Context, state: State) -> Tensor | None:
        """Return the ‖θ − θ*‖₂ `[lane]` that is recorded where there are no pulls; None without an anchor."""
        anchor = state.get("anchor")
        return None if anchor is None else (context.theta - anchor).square().sum(1).sqrt()
