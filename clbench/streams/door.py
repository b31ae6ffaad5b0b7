"""The one door for streams: what `Stream` promises is looked at; numbers of other widths are converted."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clbench.config import SPLITS
from clbench.errors import ConfigurationError
from clbench.streams.base import Stream, StreamSource, Task
from clbench.streams.contract import Problem, content_problems, shape_problems


class Door:
    """Builds streams and lets in those that keep their promises.

    Tensors that several streams share are looked at and converted once, and stay shared.
    """

    def __init__(self) -> None:
        self._taken: dict[tuple[int, torch.dtype], tuple[object, Tensor]] = {}
        self._finite: dict[int, tuple[Tensor, int | None]] = {}

    def build(self, source: StreamSource, seed: int) -> Stream:
        """Return the stream of a seed with inputs, targets and indices in the types that `Stream` names.

        Numbers of another width (float64, int32, …) and numpy arrays are converted; nothing else is.

        Raises:
            ConfigurationError: one line for every promise that the stream breaks.
        """
        where = f"{type(source).__name__}, seed {seed}"
        try:
            stream = source.build(seed)
        except ConfigurationError:
            raise
        except Exception as error:  # whatever a user's source raises
            raise ConfigurationError(
                f"A stream must be built without an error; got {type(error).__name__}: {error} ({where}, "
                f"{_place(error)}). Mend the source, or what it is given."
            ) from error
        if not isinstance(stream, Stream):
            raise ConfigurationError(
                f"A stream source must build a Stream; got {type(stream).__name__} from {where}. "
                "Return clbench.streams.base.Stream(inputs, targets, tasks, …)."
            )
        stream = self._converted(stream)
        for rules in (shape_problems, self._content_problems):  # these only make sense where those hold
            found: dict[str, str] = {}
            for rule, got, advice in rules(stream):
                found.setdefault(rule, f"{rule}; got {got} ({where}). {advice}")  # one line a rule
            if found:
                raise ConfigurationError(*found.values())
        return stream

    def _converted(self, stream: Stream) -> Stream:
        targets = torch.float32 if stream.scenario == "regression" else torch.int64
        inputs = torch.float32 if stream.tokens is None else torch.int64
        tasks = stream.tasks
        if isinstance(tasks, (list, tuple)) and all(isinstance(task, Task) for task in tasks):
            tasks = tuple(self._converted_task(task) for task in tasks)
        return replace(
            stream,
            inputs=self._number(stream.inputs, inputs),
            targets=self._number(stream.targets, targets),
            tasks=tasks,
        )

    def _converted_task(self, task: Task) -> Task:
        names = [*SPLITS, *(["permutation"] if task.permutation is not None else [])]
        found = {name: self._number(getattr(task, name), torch.int64) for name in names}
        same = all(value is getattr(task, name) for name, value in found.items())
        return task if same else replace(task, **found)

    def _number(self, value: object, wanted: torch.dtype) -> object:
        """Return a tensor or numpy array of the same kind of numbers (whole or broken) in the wanted type."""
        if isinstance(value, Tensor) and value.dtype == wanted:
            return value
        if not isinstance(value, (Tensor, np.ndarray)) or (id(value), wanted) in self._taken:
            return self._taken.get((id(value), wanted), (None, value))[1]
        try:
            tensor = torch.as_tensor(value)
        except TypeError:  # an array of texts or objects
            return value
        if tensor.is_complex() or tensor.is_floating_point() != wanted.is_floating_point:
            return value
        self._taken[id(value), wanted] = (value, tensor.to(wanted))  # the original stays, and so does its id
        return self._taken[id(value), wanted][1]

    def _content_problems(self, stream: Stream) -> Iterator[Problem]:
        yield from self._finite_problems("inputs", stream.inputs)
        yield from self._finite_problems("targets", stream.targets)
        yield from content_problems(stream)

    def _finite_problems(self, name: str, values: Tensor) -> Iterator[Problem]:
        if not values.is_floating_point():
            return
        if id(values) not in self._finite:
            bad = None
            if not bool(torch.isfinite(values).all()):
                bad = int(torch.nonzero(~torch.isfinite(values).flatten(1).all(1))[0])
            self._finite[id(values)] = (values, bad)
        bad = self._finite[id(values)][1]
        if bad is not None:
            got = f"NaN or infinity in {name}[{bad}]"
            yield f"A stream's {name} must be finite", got, "Fill the gaps, or leave such samples out."


def _place(error: Exception) -> str:
    """Return the file and line of which an error comes."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
