"""Streams as a user writes them, some with a fault; tests give them to the real command by `_target_`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from clbench.streams.base import Stream, StreamSource, Task


@dataclass(frozen=True)
class Days(StreamSource):
    """Tasks of given names: the first, the same with its labels turned, and the first again, and so on."""

    names: tuple[str, ...] = ("A", "B")

    def build(self, seed):
        """Return the tasks."""
        inputs = torch.randn(400, 2, generator=torch.Generator().manual_seed(seed))
        targets = (inputs[:, 0] > 0).long()
        targets[200:] = 1 - targets[200:]
        rows = torch.arange(200)
        tasks = tuple(
            Task(name, rows[:140] + shift, rows[140:160] + shift, rows[160:] + shift, (0, 2))
            for name, shift in zip(self.names, (0, 200) * len(self.names), strict=False)
        )
        return Stream(inputs, targets, tasks, "domain", 2, ("accuracy",))


@dataclass(frozen=True)
class Subjects(StreamSource):
    """Two subjects of 120 samples in two classes, with a fault (or none) from a seed on."""

    fault: str = "none"
    from_seed: int = 0

    def build(self, seed):
        """Return the stream, or what the fault makes of it."""
        random = np.random.default_rng(seed)
        labels = random.integers(0, 2, 240)
        values = random.normal(2.0 * labels[:, None], 1.0, (240, 4)).astype("float32")
        place = torch.arange(120)
        tasks = tuple(
            Task(name, place[:80] + first, place[80:100] + first, place[100:] + first, (0, 2))
            for name, first in zip("AB", (0, 120), strict=True)
        )
        stream = Stream(torch.from_numpy(values), torch.from_numpy(labels), tasks, "domain", 2, ("accuracy",))
        return FAULTS[self.fault](stream) if seed >= self.from_seed else stream


def _task(stream, **changes):
    """Return the stream with another second task."""
    return replace(stream, tasks=(stream.tasks[0], replace(stream.tasks[1], **changes)))


def _broken(values, place, value):
    values = values.clone()
    values[place] = value
    return values


def _raises(stream):
    raise KeyError("column")


FAULTS = {
    "none": lambda s: s,
    # numbers of another width, as numpy gives them
    "float64": lambda s: replace(s, inputs=s.inputs.double()),
    "numpy": lambda s: replace(s, inputs=s.inputs.double().numpy(), targets=s.targets.int().numpy()),
    "uint8": lambda s: replace(s, targets=s.targets.to(torch.uint8)),
    "int32": lambda s: _task(s, **{name: s.tasks[1].split(name).int() for name in ("train", "val", "test")}),
    # what is no promise kept
    "int64": lambda s: replace(s, inputs=s.inputs.long()),
    "flat": lambda s: replace(s, inputs=s.inputs[:, 0]),
    "text": lambda s: replace(s, inputs=np.array(["a"] * 240)),
    "missing": lambda s: replace(s, inputs=_broken(s.inputs, (7, 2), float("nan"))),
    "huge": lambda s: replace(s, inputs=_broken(s.inputs.double(), (7, 2), 1e300)),
    "no_token": lambda s: replace(s, inputs=s.inputs.long().abs() + 9, tokens=5),
    "float_tokens": lambda s: replace(s, tokens=5),
    "vocabulary": lambda s: replace(s, inputs=s.inputs.long().abs() % 5, tokens=5, vocabulary=("a",)),
    "column": lambda s: replace(s, targets=s.targets[:, None]),
    "float_labels": lambda s: replace(s, targets=s.targets.float()),
    "vector": lambda s: replace(s, targets=s.targets.float(), scenario="regression", scores=("rmse",)),
    "short": lambda s: replace(s, targets=s.targets[:-1]),
    "first": lambda s: replace(s, targets=s.targets + 1),
    "relative": lambda s: replace(_task(s, outputs=(2, 4)), scenario="class", outputs=4),
    "relative_task": lambda s: replace(_task(s, outputs=(2, 4)), scenario="task", outputs=4),
    "typo": lambda s: replace(s, scenario="Domain"),
    "rmse": lambda s: replace(s, scores=("rmse",)),
    "score": lambda s: replace(s, scores=("accuracy", "auc")),
    "one_text": lambda s: replace(s, scores="accuracy"),
    "scores_twice": lambda s: replace(s, scores=("accuracy", "accuracy")),
    "no_outputs": lambda s: replace(s, outputs=0),
    "outputs": lambda s: _task(s, outputs=(0, 3)),
    "classes_until": lambda s: _task(s, classes_until=1),
    "permutation": lambda s: _task(s, permutation=torch.tensor([0, 1, 1, 3])),
    "list": lambda s: _task(s, train=list(range(120, 200))),
    "float_indices": lambda s: _task(s, train=s.tasks[1].train.float()),
    "beyond": lambda s: _task(s, test=s.tasks[1].test + 1),
    "negative": lambda s: _task(s, test=s.tasks[1].test - 240),
    "untrained": lambda s: _task(s, train=s.tasks[1].train[:0]),
    "shared": lambda s: _task(s, test=s.tasks[1].train[:20]),
    "returned": lambda s: _task(s, train=s.tasks[0].test, val=s.tasks[1].val[:0], test=s.tasks[0].train),
    "empty": lambda s: replace(s, tasks=()),
    "pairs": lambda s: replace(s, tasks=("A", "B")),
    "no_stream": lambda s: (s.inputs, s.targets),
    "raises": _raises,
    "twice": lambda s: _task(s, name="A"),
    "nameless": lambda s: _task(s, name=""),
    "number": lambda s: _task(s, name=1),
    "lines": lambda s: _task(s, name="A\nB"),
    "blank": lambda s: _task(s, name="A "),
    "interval": lambda s: _task(s, name="A_low"),
}
