"""Which phases a set of runs needs, each once: a tree of shared prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clbench.config import fingerprint
from clbench.ingredients import Ingredients
from clbench.lanes import structure
from clbench.runs import Run
from clbench.strategies.acts import fields_of
from clbench.strategies.base import Strategy
from clbench.streams.base import Stream


@dataclass
class Phase:
    """One phase of training: a node of the tree, a lane of some program.

    Args:
        key: hash of all that shapes the state after this phase, the user's files included.
        parent: the phase before, None at the root.
        kind: `train` or `consolidate`.
        stage: from 0.
        run: one of the runs that need it; they all agree on what matters here.
        strategy: the run's; None where nothing of it acts in this phase.
        runs: numbers of the runs that need it.
        children: phases that start from its state.
    """

    key: str
    parent: Phase | None
    kind: str
    stage: int
    run: Run
    stream: Stream
    strategy: Strategy | None
    runs: list[int] = field(default_factory=list)
    children: list[Phase] = field(default_factory=list)

    @property
    def level(self) -> tuple[int, bool]:
        """Phases of one level can train at the same time."""
        return (self.stage, self.kind == "consolidate")


def plan_phases(
    runs: Sequence[Run], streams: Sequence[Stream], share: bool = True, files: Ingredients | None = None
) -> list[Phase]:
    """Return all phases, ordered by level.

    Runs share a phase if they agree on everything that shaped it: stream, model, optimiser, training
    length, evaluation, seed, device, and what of their strategies acts in it (`Acts`).

    Args:
        runs: the runs.
        streams: the stream of every run.
        share: False to train every phase of every run by itself, so that a wrong `Acts.shaped_by` shows.
        files: the user's files, where they were looked at already.
    """
    files = files or Ingredients()
    phases: dict[str, Phase] = {}
    for number, (run, stream) in enumerate(zip(runs, streams, strict=True)):
        key = fingerprint(
            *(run.stream, run.model, run.optimizer),
            *(files.of_part(part) for part in (run.stream, run.model, run.optimizer)),
            run.training,
            run.evaluation,
            run.seed,
            run.device,
        )
        if not share:
            key = fingerprint(key, number)
        parent: Phase | None = None
        tasks = len(stream.tasks)
        for stage in range(tasks):
            for kind in ("train", "consolidate"):
                shape = shape_of(run.strategy, stage, kind)
                if kind == "consolidate" and (shape is None or stage == tasks - 1):
                    continue
                key = fingerprint(key, stage, kind, shape and [shape, files.of_part(run.strategy)])
                if key not in phases:
                    acting = None if shape is None else run.strategy
                    phases[key] = Phase(key, parent, kind, stage, run, stream, acting)
                    if parent is not None:
                        parent.children.append(phases[key])
                parent = phases[key]
                parent.runs.append(number)
    return sorted(phases.values(), key=lambda phase: phase.level)


def shape_of(strategy: Strategy, stage: int, kind: str) -> dict[str, Any] | None:
    """Return what of a strategy shapes a phase (`train`, `consolidate`) of a stage; None: nothing acts."""
    acts = strategy.at(stage)
    if kind == "train":
        return fields_of(strategy, acts.shaped_by) if acts.trains else None
    return None if acts.consolidate is None else fields_of(strategy, acts.kept_by)


def program_structure(phase: Phase) -> str:
    """Return what lanes of one program have in common in this phase."""
    run, stream = phase.run, phase.stream
    shape = [
        list(stream.inputs.shape),
        str(stream.inputs.dtype),
        list(stream.targets.shape),
        stream.scenario,
        stream.outputs,
        list(stream.scores),
        stream.offset_targets,
        stream.tokens,
        [
            [
                *(len(task.train), len(task.val), len(task.test), *task.outputs),
                task.classes_until,
                task.permutation is None,
            ]
            for task in stream.tasks
        ],
    ]
    return fingerprint(
        shape,
        run.model,
        structure(run.optimizer),
        run.training,
        run.evaluation,
        run.device,
        phase.strategy and [structure(phase.strategy), phase.strategy.at(phase.stage).structure],
    )
