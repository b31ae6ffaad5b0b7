"""Where a strategy acts in a stage: a tuple of optional functions, and what of its fields they depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal, NamedTuple

from torch import Tensor

from clbench.context import Batch, Context, State
from clbench.importance import StepSum
from clbench.models.base import Layout
from clbench.penalty import Pull
from clbench.strategies.distillation import Distillation

Tasks = Literal["own", "seen", "all"]
"""Tasks of the stream, seen from a stage: its own, those up to it, or all."""


class Replay(NamedTuple):
    """What some steps train on beside the stage's own samples.

    Args:
        address: of the samples from memory, int64 `[steps, lane, memory]`.
        weight: as `Acts.batch` returns it, the same at every step.
        places: which of the outputs stored for a `Distillation` are taught to the first samples from memory,
            int64 `[steps, lane, taught]`.
        slots: where the outputs for the stage's own samples are stored, int64 `[steps, lane, batch]`. Two
            samples of a step may share the last slot alone, which is never read.
    """

    address: Tensor
    weight: Tensor
    places: Tensor | None = None
    slots: Tensor | None = None


class Acts(NamedTuple):
    """What a strategy does in one stage. `Acts()` is naive.

    A function may change the tensors of its state in place; only `consolidate` returns another state.

    Args:
        data: `(context, state, address)` → addresses `[lane, samples]` of the stage's data, given its own.
        batch: `(context, state, address)` → `(address [lane, memory], weight)` to add to a batch. The weight
            is `[memory]` or `[lane, memory]`; or that of the whole batch, own samples first
            (`[batch + memory]` or with lanes), where those should not keep their 1 / batch.
        replay: `(context, state, address, steps)` → a `Replay`, for some steps at once, instead of `batch`
            where nothing depends on θ. It is given the own samples' addresses `[steps, lane, batch]` and the
            steps' numbers in the stage, from 0, as a range; it is asked for every step once, in order, and
            leaves its state as it is after the last of them.
        loss: `(context, state, batch, outputs)` → a loss on the outputs, `[lane]`, λ included, differentiable
            in `outputs` `[lane, batch, outputs]`.
        distillations: `(context, state)` → losses on the outputs as data, once a stage, whose errors are
            closed forms.
        penalty: `(context, state, theta)` → the penalty, λ included, `[lane]`, differentiable in `theta`
            `[lane, padded]`; its gradient is taken by autograd.
        pulls: `(context, state)` → penalties as data, once a stage, whose gradients are closed forms.
        gradient: `(context, state, gradient)` changes the task gradient `[lane, padded]` in place, before the
            penalties' are added.
        sums: `(context, state)` → what is summed over the steps, once a stage; steps are added to them when
            they were taken.
        after_step: `(context, state)` looks at a step after it was taken, or changes θ in place.
        interval: `after_step` is called at every step of the stage whose number, from 1, is a multiple.
        consolidate: `(context, state)` → the state after the stage has ended, before the next one begins.
        rates: `(layout)` → the factor on every element's step `[padded]`, 0 where frozen; None for all 1.
        tasks: whose training data the stage uses.
        epoch: whose number of samples sets the steps of a stage trained by epochs; None for `tasks`.
        all_outputs: whether a loss on the outputs reaches those of tasks to come too.
        shaped_by: names of the fields that shape the training of this stage, dotted for fields of parts
            (`groups.pattern`); None for all. Runs that agree on them, and on all before, share the stage.
        kept_by: the same for what `consolidate` leaves.
    """

    data: Callable[[Context, State, Tensor], Tensor] | None = None
    batch: Callable[[Context, State, Tensor], tuple[Tensor, Tensor]] | None = None
    replay: Callable[[Context, State, Tensor, range], Replay] | None = None
    loss: Callable[[Context, State, Batch, Tensor], Tensor] | None = None
    distillations: Callable[[Context, State], tuple[Distillation, ...]] | None = None
    penalty: Callable[[Context, State, Tensor], Tensor] | None = None
    pulls: Callable[[Context, State], tuple[Pull, ...]] | None = None
    gradient: Callable[[Context, State, Tensor], None] | None = None
    sums: Callable[[Context, State], tuple[StepSum, ...]] | None = None
    after_step: Callable[[Context, State], None] | None = None
    interval: int = 1
    consolidate: Callable[[Context, State], State] | None = None
    rates: Callable[[Layout], Tensor | None] | None = None
    tasks: Tasks = "own"
    epoch: Tasks | None = None
    all_outputs: bool = False
    shaped_by: tuple[str, ...] | None = None
    kept_by: tuple[str, ...] | None = None

    @property
    def trains(self) -> bool:
        """Whether anything of it shapes the stage's training; else that is naive's."""
        return any(getattr(self, place) is not None for place in TRAINING) or self.tasks != "own"

    @property
    def penalises(self) -> bool:
        """Whether it has a penalty on the parameters."""
        return self.penalty is not None or self.pulls is not None

    @property
    def structure(self) -> tuple[object, ...]:
        """What lanes of one program have in common: where it acts, how often, and on which tasks."""
        places = [getattr(self, place) is not None for place in PLACES]
        return (*places, self.rates is not None, self.interval, self.tasks, self.epoch, self.all_outputs)


PLACES = ("data", "batch", "replay", "loss", "distillations", "penalty", "pulls", "gradient")
PLACES += ("sums", "after_step", "consolidate")
"""The functions that a strategy may have, in the order of a step."""

TRAINING = (*PLACES[:-1], "rates")
"""Those that act while a stage trains."""


def tasks_of(choice: Tasks, stage: int, count: int) -> tuple[int, ...]:
    """Return the numbers of the tasks that a choice names in a stage of a stream of so many."""
    return {"own": (stage,), "seen": tuple(range(stage + 1)), "all": tuple(range(count))}[choice]


def fields_of(part: Any, names: tuple[str, ...] | None) -> dict[str, Any]:
    """Return a part's class and its fields by (dotted) name; all fields for None.

    Raises:
        AttributeError: it has no such field.
    """
    kind = type(part)
    chosen = names if names is not None else [item.name for item in fields(part)]
    values = {name: _at(part, name.split(".")) for name in chosen}
    return {"class": f"{kind.__module__}.{kind.__qualname__}", **values}


def _at(value: Any, path: list[str]) -> Any:
    """Return what lies at a path of fields; tuples are entered by a number, or else in all their items."""
    for place, name in enumerate(path):
        if isinstance(value, tuple):
            if not name.isdigit():
                return [_at(item, path[place:]) for item in value]
            value = value[int(name)]
        else:
            value = getattr(value, name)
    return value
