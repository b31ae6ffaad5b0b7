"""Everything that can be known to be wrong with runs before any of them trains."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from clbench.config import Training, fingerprint
from clbench.errors import ConfigurationError
from clbench.models.base import Layout
from clbench.models.contract import draw_parameters, layout_problems
from clbench.optimizers import heads_problems
from clbench.runs import Run
from clbench.streams.base import Stream, generator
from clbench.streams.door import Door


def find_problems(runs: Sequence[Run]) -> list[str]:
    """Return one line per broken rule in any of the runs, each once, in the order of the runs."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    streams: dict[str, Stream | list[str]] = {}
    models: dict[str, Layout | list[str]] = {}
    for run in runs:
        key = fingerprint(run.stream, run.model, run.strategy, run.optimizer, run.training, run.evaluation)
        if key not in seen:
            seen.add(key)
            found.update(dict.fromkeys(_problems_of(run, streams, models)))
    return list(found)


def _problems_of(
    run: Run, streams: dict[str, Stream | list[str]], models: dict[str, Layout | list[str]]
) -> list[str]:
    found = [
        *run.strategy.problems(),
        *run.optimizer.problems(),
        *run.training.problems(),
        *run.evaluation.problems(),
        *_device_problems(run.device),
    ]
    source = fingerprint(run.stream)
    if source not in streams:
        streams[source] = _built(run)
    stream = streams[source]
    if isinstance(stream, list):
        return found + stream
    model = fingerprint(run.stream, run.model)
    if model not in models:
        models[model] = _laid_out(run, stream)
    layout = models[model]
    if isinstance(layout, list):
        found += layout
    else:
        found += run.strategy.fit_problems(stream, layout)
        found += heads_problems(run.training, layout, stream)
    found += _outputs_problems(run.training, stream)
    size, name = min((len(task.train), task.name) for task in stream.tasks)
    if run.training.batch_size > size:
        found.append(
            "A batch must not be larger than a task's training data; got "
            f"training.batch_size={run.training.batch_size} with {size} samples in task {name}. "
            f"Use at most {size}."
        )
    return found


def _outputs_problems(training: Training, stream: Stream) -> list[str]:
    """Return a line where a task has training samples of classes that would not compete."""
    if training.outputs != "task" or stream.scenario != "class" or stream.offset_targets:
        return []
    for task in stream.tasks:
        low, high = task.outputs
        targets = stream.targets[task.train]
        if bool(((targets < low) | (targets >= high)).any()):
            return [
                "A task's own outputs alone can compete only where all its training samples are of them; got "
                f"training.outputs=task with samples of other classes in task {task.name}. "
                "Use training.outputs=seen or all, or boundaries that are not blurred."
            ]
    return []


def _built(run: Run) -> Stream | list[str]:
    """Return the run's stream, or its problems; one seed stands for all of a configuration."""
    if found := run.stream.problems():
        return found
    try:
        return Door().build(run.stream, run.seed)
    except ConfigurationError as error:
        return list(error.problems)


def _laid_out(run: Run, stream: Stream) -> Layout | list[str]:
    """Return the model's layout, or its problems; the initialisation of one seed is tried."""
    if found := run.model.problems(stream):
        return found
    layout = run.model.layout(stream)
    if found := layout_problems(run.model, layout):
        return found
    try:
        draw_parameters(run.model, stream, layout, generator(run.seed, "init"))
    except ConfigurationError as error:
        return list(error.problems)
    return layout


def _device_problems(name: str) -> list[str]:
    try:
        device = torch.device(name)
    except RuntimeError:
        return [f"device must be a torch device; got device={name}. Use cpu or cuda."]
    if device.type == "cuda" and not torch.cuda.is_available():
        return [f"device=cuda needs a CUDA build of torch and a GPU; got device={name}. Use device=cpu."]
    return []
