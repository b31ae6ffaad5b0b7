"""Several strategies at once, each with a state of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clbench.context import Batch, Context, State
from clbench.fields import field_problems
from clbench.models.base import Layout
from clbench.penalty import Pull
from clbench.strategies.acts import Acts, Tasks
from clbench.strategies.base import Strategy
from clbench.streams.base import Stream

ALONE = ("data", "batch", "tasks")
"""What only one part may choose."""


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
        for place in ALONE:
            nothing = getattr(Acts(), place)
            choosing = [
                type(part).__name__
                for part in self.parts
                if any(getattr(part.at(stage), place) != nothing for stage in (0, 1))
            ]
            if len(choosing) > 1:
                yield (
                    f"Only one of {key}.parts may choose {place}; got {' and '.join(choosing)}. "
                    "Leave one of them out."
                )

    def fit_problems(self, stream: Stream, layout: Layout) -> list[str]:
        return [line for part in self.parts for line in part.fit_problems(stream, layout)]

    def at(self, stage: int) -> Acts:
        acts = _Together(self.parts, stage)
        return Acts(
            data=acts.data if acts.any("data") else None,
            batch=acts.batch if acts.any("batch") else None,
            loss=acts.loss if acts.any("loss") else None,
            penalty=acts.penalty if acts.any("penalty") else None,
            pulls=acts.pulls if acts.any("pulls") else None,
            gradient=acts.gradient if acts.any("gradient") else None,
            after_step=acts.after_step if acts.any("after_step") else None,
            consolidate=acts.consolidate if acts.any("consolidate") else None,
            rates=acts.rates if acts.any("rates") else None,
            tasks=acts.tasks,
            epoch=next((each.epoch for each in acts.each if each.epoch is not None), None),
            all_outputs=any(each.all_outputs for each in acts.each),
            shaped_by=acts.fields("shaped_by", [each.trains for each in acts.each]),
            kept_by=acts.fields("kept_by", [each.consolidate is not None for each in acts.each]),
        )

    def start(self, context: Context) -> State:
        return _joined(part.start(context) for part in self.parts)


class _Together:
    """What several strategies do in one stage, as the functions of one."""

    def __init__(self, parts: Sequence[Strategy], stage: int) -> None:
        self.each = [part.at(stage) for part in parts]

    def any(self, place: str) -> bool:
        return any(getattr(acts, place) is not None for acts in self.each)

    @property
    def tasks(self) -> Tasks:
        chosen: list[Tasks] = [acts.tasks for acts in self.each if acts.tasks != "own"]
        return chosen[0] if chosen else "own"

    def fields(self, names: str, acting: Sequence[bool]) -> tuple[str, ...]:
        """Return the fields of those parts that act, by their paths."""
        found = []
        for index, (acts, does) in enumerate(zip(self.each, acting, strict=True)):
            own = getattr(acts, names)
            if does:
                place = f"parts.{index}"
                found += [place] if own is None else [f"{place}.{name}" for name in own]
        return tuple(found)

    def data(self, context: Context, state: State, address: Tensor) -> Tensor:
        return next(
            acts.data(context, own, address) for acts, own in self._with(state) if acts.data is not None
        )

    def batch(self, context: Context, state: State, address: Tensor) -> tuple[Tensor, Tensor]:
        return next(
            acts.batch(context, own, address) for acts, own in self._with(state) if acts.batch is not None
        )

    def loss(self, context: Context, state: State, batch: Batch, outputs: Tensor) -> Tensor:
        found = [
            acts.loss(context, own, batch, outputs)
            for acts, own in self._with(state)
            if acts.loss is not None
        ]
        return torch.stack(found).sum(0)

    def penalty(self, context: Context, state: State, theta: Tensor) -> Tensor:
        found = [
            acts.penalty(context, own, theta) for acts, own in self._with(state) if acts.penalty is not None
        ]
        return torch.stack(found).sum(0)

    def pulls(self, context: Context, state: State) -> tuple[Pull, ...]:
        given = [acts.pulls(context, own) for acts, own in self._with(state) if acts.pulls is not None]
        return tuple(pull for pulls in given for pull in pulls)

    def gradient(self, context: Context, state: State, gradient: Tensor) -> None:
        for acts, own in self._with(state):
            if acts.gradient is not None:
                acts.gradient(context, own, gradient)

    def after_step(self, context: Context, state: State) -> None:
        for acts, own in self._with(state):
            if acts.after_step is not None:
                acts.after_step(context, own)

    def consolidate(self, context: Context, state: State) -> State:
        return _joined(
            own if acts.consolidate is None else acts.consolidate(context, own)
            for acts, own in self._with(state)
        )

    def rates(self, layout: Layout) -> Tensor | None:
        given = [acts.rates(layout) for acts in self.each if acts.rates is not None]
        factors = [rate for rate in given if rate is not None]
        return torch.stack(factors).prod(0) if factors else None

    def _with(self, state: State) -> Iterator[tuple[Acts, State]]:
        """Yield every part's acts with its own state, whose tensors are those of `state`."""
        for index, acts in enumerate(self.each):
            prefix = f"{index}/"
            yield acts, {name[len(prefix) :]: own for name, own in state.items() if name.startswith(prefix)}


def _joined(states: Iterator[State]) -> State:
    """Return one state with those of the parts under their numbers."""
    return {f"{index}/{name}": own for index, state in enumerate(states) for name, own in state.items()}
