"""What `Stream` promises, as rules: types and shapes, names, labels within outputs, splits apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor

from clbench.config import SPLITS
from clbench.errors import known
from clbench.scores import scores_in
from clbench.streams.base import SCENARIOS, Stream, Task

Problem = tuple[str, str, str]
"""A rule, what was got, and what to do."""


def shape_problems(stream: Stream) -> Iterator[Problem]:
    """Yield what is wrong with types, shapes, names and ranges of outputs."""
    if stream.scenario not in SCENARIOS:
        yield "A stream's scenario must be a known one", f"scenario={stream.scenario!r}", known(SCENARIOS)
        return
    if not _is_count(stream.outputs):
        yield "A stream's outputs must be a whole number from 1", f"outputs={stream.outputs}", "Count them."
        return
    yield from _input_problems(stream)
    yield from _target_problems(stream)
    yield from _score_problems(stream)
    if not isinstance(stream.tasks, tuple) or not all(isinstance(task, Task) for task in stream.tasks):
        yield (
            "A stream's tasks must be a tuple of Task",
            f"tasks={_described(stream.tasks)}",
            "Make them Tasks.",
        )
        return
    if not stream.tasks:
        yield "A stream must have at least one task", "none", "Give its tasks in the order of learning."
    yield from name_problems(stream.tasks)
    for task in stream.tasks:
        yield from _task_problems(stream, task)


def name_problems(tasks: tuple[Task, ...]) -> Iterator[Problem]:
    """Yield what is wrong with the tasks' names, by which files, tables and pictures distinguish them."""
    names = [task.name for task in tasks]
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name or not name.isprintable() or name != name.strip():
            rule = "A task's name must be one line of text, without blanks around it"
            yield rule, f"{name!r} for task number {place + 1}", "Give it a name."
        elif name in names[:place]:
            rule = "Tasks must have names of their own"
            yield rule, f"{name!r} twice", f"Call the second one {name + ' again'!r}, for example."
        elif name.endswith(("_low", "_high")) and name.rpartition("_")[0] in names:
            rule = "Tasks must not be called like the end of another's interval"
            yield rule, f"{name!r} beside {name.rpartition('_')[0]!r}", "Call one of them otherwise."


def content_problems(stream: Stream) -> Iterator[Problem]:
    """Yield what is wrong with the values: tokens, labels, samples that two splits share."""
    if stream.tokens is not None and not _within(stream.inputs, 0, stream.tokens):
        rule = "A stream's tokens must be from 0 to tokens − 1"
        got = f"tokens={stream.tokens} and {_range(stream.inputs)} among its inputs"
        yield rule, got, "Give the size of the vocabulary."
    if stream.scenario != "regression":
        yield from label_problems(stream)
    yield from overlap_problems(stream)


def label_problems(stream: Stream) -> Iterator[Problem]:
    """Yield tasks whose labels are not among their outputs."""
    for task in stream.tasks:
        low, high = (0, task.outputs[1] - task.outputs[0]) if stream.offset_targets else task.outputs
        for split in SPLITS:
            labels = stream.targets[task.split(split)]
            until = task.classes_until if split == "train" else None
            if len(labels) and not _within(labels, *((low, high) if until is None else (0, until))):
                rule = "A task's labels must be among its outputs"
                got = f"{_range(labels)} in {split} of task {task.name} with outputs={task.outputs}"
                wanted = f"{low} to {high - 1}" if high - low > 1 else f"{low}"
                yield rule, got, f"Number its labels {wanted}, or set the task's outputs."


def overlap_problems(stream: Stream) -> Iterator[Problem]:
    """Yield samples that two splits have: of one task, or of two tasks that see them alike.

    Tasks with other permutations have other inputs, though their indices are the same.
    """
    pool = len(stream.inputs)
    marks: dict[bytes | None, np.ndarray] = {}
    for task in stream.tasks:
        key = None if task.permutation is None else task.permutation.numpy().tobytes()
        mark = marks.setdefault(key, np.zeros(pool, np.uint8))
        for bit, split in enumerate(SPLITS):
            mark[task.split(split).numpy()] |= 1 << bit
    for mark in marks.values():
        twice = mark & (mark - 1)
        if not twice.any():
            continue
        sample = int(np.flatnonzero(twice)[0])
        places = [
            f"{split} of task {task.name}"
            for task in stream.tasks
            for split in SPLITS
            if bool((task.split(split) == sample).any())
        ]
        rule = "What is trained, validated on and tested must be different samples, over all tasks"
        got = f"sample {sample} in {', '.join(places)}"
        yield rule, got, "Split first, then make tasks; what comes again keeps its split."


def _input_problems(stream: Stream) -> Iterator[Problem]:
    inputs = stream.inputs
    kind = "float32 [pool, *features]" if stream.tokens is None else "int64 [pool, length] for tokens"
    wanted = torch.float32 if stream.tokens is None else torch.int64
    if stream.tokens is not None and not _is_count(stream.tokens):
        yield "A stream's tokens must be a whole number from 1", f"tokens={stream.tokens}", "Count the words."
        return
    fits = isinstance(inputs, Tensor) and inputs.dtype == wanted and inputs.numel() > 0
    if not fits or inputs.ndim < 2 or (stream.tokens is not None and inputs.ndim != 2):
        advice = (
            "Convert them, or give tokens for token streams." if stream.tokens is None else "Convert them."
        )
        yield f"A stream's inputs must be {kind}", f"inputs={_described(inputs)}", advice
    if stream.vocabulary is not None and len(stream.vocabulary) != (stream.tokens or 0):
        got = f"{len(stream.vocabulary)} words and tokens={stream.tokens}"
        yield "A vocabulary must have a word per token", got, "Give all words, or none."


def _target_problems(stream: Stream) -> Iterator[Problem]:
    targets = stream.targets
    if stream.scenario == "regression":
        shape, wanted = [stream.outputs], torch.float32
        kind, advice = f"float32 [pool, {stream.outputs}]", "Convert them, a column per output."
    else:
        shape, wanted = [], torch.int64
        kind, advice = "int64 [pool]", "Give one class number a sample."
    tensor = isinstance(targets, Tensor)
    if not tensor or targets.dtype != wanted or targets.ndim < 1 or list(targets.shape[1:]) != shape:
        rule = f"The targets of the {stream.scenario} scenario must be {kind}"
        yield rule, f"targets={_described(targets)}", advice
    elif isinstance(stream.inputs, Tensor) and stream.inputs.ndim and len(targets) != len(stream.inputs):
        got = f"{len(stream.inputs)} inputs and {len(targets)} targets"
        yield "A stream must have a target for every input", got, "Give as many."


def _score_problems(stream: Stream) -> Iterator[Problem]:
    if not isinstance(stream.scores, (tuple, list)):
        yield (
            "A stream's scores must be a tuple of names",
            f"scores={stream.scores!r}",
            "Write ('accuracy',).",
        )
        return
    fitting = scores_in(stream.scenario)
    wrong = [str(name) for name in stream.scores if name not in fitting]
    if wrong:
        rule = f"A stream's scores must be known ones of the {stream.scenario} scenario"
        yield rule, f"scores={', '.join(wrong)}", known(fitting)
    elif len(set(stream.scores)) < len(stream.scores):
        yield "A stream must have each score once", f"scores={', '.join(stream.scores)}", "Leave one out."


def _task_problems(stream: Stream, task: Task) -> Iterator[Problem]:
    named = f"task {task.name}"
    outputs, until = task.outputs, task.classes_until
    is_pair = isinstance(outputs, (tuple, list)) and len(outputs) == 2 and all(map(_is_int, outputs))
    if not is_pair or not 0 <= outputs[0] < outputs[1] <= stream.outputs:
        rule = f"A task's outputs must be a range (low, high) within 0 to {stream.outputs}"
        yield rule, f"outputs={outputs} of {named}", "The second number is one past the last output."
    elif until is not None and not (_is_int(until) and outputs[1] <= until <= stream.outputs):
        rule = f"A task's classes_until must be from outputs[1] to {stream.outputs}"
        yield rule, f"classes_until={until} of {named}", "Use None without blurred boundaries."
    pool = len(stream.inputs) if isinstance(stream.inputs, Tensor) and stream.inputs.ndim else 0
    for split in SPLITS:
        indices = task.split(split)
        if not isinstance(indices, Tensor) or indices.dtype != torch.int64 or indices.ndim != 1:
            rule = "A task's indices must be int64 [samples]"
            yield (
                rule,
                f"{split}={_described(indices)} of {named}",
                "Use torch.tensor([…]), torch.arange or .long().",
            )
        elif pool and len(indices) and not _within(indices, 0, pool):
            rule = f"A task's indices must be from 0 to {pool - 1}, places in the pool"
            yield rule, f"{_range(indices)} in {split} of {named}", "Count them from 0 in the whole pool."
        elif split == "train" and not len(indices):
            rule = "Every task must have training samples"
            yield rule, f"none in {named}", "Add some: a task that is only tested has no stage."
    if task.permutation is not None:
        yield from _permutation_problems(stream, task, task.permutation)


def _permutation_problems(stream: Stream, task: Task, order: Tensor) -> Iterator[Problem]:
    features = stream.inputs[0].numel() if isinstance(stream.inputs, Tensor) and len(stream.inputs) else 0
    whole = isinstance(order, Tensor) and order.dtype == torch.int64 and order.ndim == 1
    if not whole or not torch.equal(order.sort().values, torch.arange(features)):
        rule = f"A task's permutation must have each of 0 to {features - 1} once, int64"
        yield rule, f"permutation={_described(order)} of task {task.name}", "Use torch.randperm(features)."


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_int(value) and value >= 1


def _within(values: Tensor, low: int, high: int) -> bool:
    """Tell whether whole numbers are all at least `low` and below `high`."""
    least, most = torch.aminmax(values)
    return low <= int(least) and int(most) < high


def _range(values: Tensor) -> str:
    least, most = torch.aminmax(values)
    return f"{int(least)} to {int(most)}" if least != most else f"{int(least)}"


def _described(value: object) -> str:
    """Return a tensor's type and shape, or what else it is."""
    if isinstance(value, (Tensor, np.ndarray)):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return type(value).__name__ if value is not None else "None"
