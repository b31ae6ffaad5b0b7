"""Several strategies at once, each with a state of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import gcd
from typing import Any

import torch
from torch import Tensor

from clbench.context import Context, State
from clbench.fields import field_problems
from clbench.models.base import Layout
from clbench.strategies.acts import Acts, Tasks
from clbench.strategies.base import Strategy
from clbench.streams.base import Stream

ALONE = {"data": ("data",), "batch": ("batch", "replay"), "tasks": ("tasks",)}
"""What only one part may choose, and by which places."""


@dataclass(frozen=True)
class Combined(Strategy):
    """Let several strategies act in one run: L2 toward the initial values and EWC, replay and a penalty, ….

    Losses and penalties add up, each with its own λ; what changes the gradient or looks at a step does so in
    the order of the parts. Only one part may choose the data of a stage or of a batch.

    Args:
        parts: the strategies.
    """

    parts: tuple[Strategy, ...] = ()

    def __post_init__(self) -> None:
        """Take the parts as a list too, as a configuration file has them."""
        object.__setattr__(self, "parts", tuple(self.parts))

    def problems(self) -> list[str]:
        if wrong := [part for part in self.parts if not isinstance(part, Strategy)]:
            return [
                f"Every one of strategy.parts must be a strategy; got {type(wrong[0]).__name__}. "
                "Give it a _target_, for example clbench.strategies.Regularized."
            ]
        return field_problems(self, self.KEY)

    def cross_problems(self, key: str) -> Iterator[str]:
        if not self.parts:
            yield f"{key}.parts must have at least one strategy; got {key}.parts=[]. Add one by its _target_."
        for chosen, places in ALONE.items():
            choosing = [
                type(part).__name__
                for part in self.parts
                if any(
                    getattr(part.at(stage), place) != getattr(Acts(), place)
                    for stage in (0, 1)
                    for place in places
                )
            ]
            if len(choosing) > 1:
                yield (
                    f"Only one of {key}.parts may choose {chosen}; got {' and '.join(choosing)}. "
                    "Leave one of them out."
                )

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        return [line for part in self.parts for line in part.fit_problems(stream, layout)]

    def at(self, stage: int) -> Acts:
        each = [part.at(stage) for part in self.parts]
        chosen: list[Tasks] = [acts.tasks for acts in each if acts.tasks != "own"]
        return Acts(
            data=_together(each, "data", _only),
            batch=_together(each, "batch", _only),
            replay=_together(each, "replay", _only),
            loss=_together(each, "loss", _sum),
            distillations=_together(each, "distillations", _chained),
            penalty=_together(each, "penalty", _sum),
            pulls=_together(each, "pulls", _chained),
            gradient=_together(each, "gradient", list),
            sums=_together(each, "sums", _chained),
            after_step=_after_step(each),
            interval=gcd(*(acts.interval for acts in each if acts.after_step is not None)) or 1,
            consolidate=_consolidated(each),
            rates=_rates(each),
            tasks=chosen[0] if chosen else "own",
            epoch=next((acts.epoch for acts in each if acts.epoch is not None), None),
            all_outputs=any(acts.all_outputs for acts in each),
            shaped_by=_paths(acts.shaped_by if acts.trains else () for acts in each),
            kept_by=_paths(acts.kept_by if acts.consolidate else () for acts in each),
        )

    def start(self, context: Context) -> State:
        return _joined(part.start(context) for part in self.parts)


def _together(each: Sequence[Acts], place: str, unite: Callable[[Iterable[Any]], Any]) -> Any:
    """Return the parts' functions of a place as one, each given its own state; None where none acts."""
    acting = [(index, act) for index, acts in enumerate(each) if (act := getattr(acts, place)) is not None]
    if not acting:
        return None
    return lambda context, state, *given: unite(
        act(context, _own(state, index), *given) for index, act in acting
    )


def _only(given: Iterable[Any]) -> Any:
    (found,) = given
    return found


def _sum(given: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(given)).sum(0)


def _chained(given: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    return tuple(chain(*given))


def _after_step(each: Sequence[Acts]) -> Callable[[Context, State], None] | None:
    """Return what calls every part's function at the end of its own interval."""
    acting = [(index, acts.after_step, acts.interval) for index, acts in enumerate(each) if acts.after_step]
    if not acting:
        return None

    def after_step(context: Context, state: State) -> None:
        for index, act, interval in acting:
            if context.stage_step % interval == 0:
                act(context, _own(state, index))

    return after_step


def _consolidated(each: Sequence[Acts]) -> Callable[[Context, State], State] | None:
    if all(acts.consolidate is None for acts in each):
        return None

    def consolidate(context: Context, state: State) -> State:
        states = (_own(state, index) for index in range(len(each)))
        return _joined(
            own if acts.consolidate is None else acts.consolidate(context, own)
            for acts, own in zip(each, states, strict=True)
        )

    return consolidate


def _rates(each: Sequence[Acts]) -> Callable[[Layout], Tensor | None] | None:
    rated = [acts.rates for acts in each if acts.rates is not None]
    if not rated:
        return None

    def rates(layout: Layout) -> Tensor | None:
        factors = [found for rate in rated if (found := rate(layout)) is not None]
        return torch.stack(factors).prod(0) if factors else None

    return rates


def _paths(names: Iterable[tuple[str, ...] | None]) -> tuple[str, ...]:
    """Return the fields of the parts by their paths; a part whose fields all count as a whole."""
    found = []
    for index, own in enumerate(names):
        found += [f"parts.{index}"] if own is None else [f"parts.{index}.{name}" for name in own]
    return tuple(found)


def _own(state: State, index: int) -> State:
    """Return a part's own state, whose tensors are those of `state`."""
    prefix = f"{index}/"
    return {name[len(prefix) :]: own for name, own in state.items() if name.startswith(prefix)}


def _joined(states: Iterable[State]) -> State:
    """Return one state with those of the parts under their numbers."""
    return {f"{index}/{name}": own for index, state in enumerate(states) for name, own in state.items()}
