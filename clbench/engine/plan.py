"""Which phases a set of runs needs, each once: a tree of shared prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

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
        heirs: numbers of the runs that need it.
        children: phases that start from its state.
    """

    key: str
    parent: Phase | None
    kind: str
    stage: int
    run: Run
    stream: Stream
    strategy: Strategy | None
    heirs: list[int] = field(default_factory=list)
    children: list[Phase] = field(default_factory=list)

    @property
    def level(self) -> tuple[int, bool]:
        """Phases of one level can train at the same time."""
        return (self.stage, self.kind == "consolidate")


def plan_phases(
    runs: Sequence[Run], streams: Sequence[Stream], share: bool = True, files: Ingredients | None = None
) -> tuple[list[Phase], list[Phase]]:
    """Return all phases, ordered by level, and the last phase of every run.

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
    leaves = []
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
                parent.heirs.append(number)
        assert parent is not None
        leaves.append(parent)
    return sorted(phases.values(), key=lambda phase: phase.level), leaves


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


def lane_bytes(run: Run, stream: Stream) -> int:
    """Return about how many bytes a lane touches in a step: parameters, gradient, moments, activations."""
    layout = run.model.layout(stream)
    units = sum(parameter.shape[0] for parameter in layout.parameters if len(parameter.shape) == 1)
    return 16 * layout.padded + 4 * run.training.batch_size * (stream.inputs[0].numel() + 2 * units)


def chunk_lanes(count: int, size: int, workers: int, device: torch.device) -> list[int]:
    """Return how many lanes each chunk of a cohort has.

    On the CPU a chunk's working set should stay near the core, but a small chunk's operations are so short
    that two workers wait for each other's turn in the interpreter more than they calculate. Measured on two
    cores (1 MiB of L2 each, 32 MiB of L3 for both), a step of a lane of a 64-64 net took 13.4 µs with chunks
    of 2.6 MB (25 lanes), 10.6 with 5.2 MB, 9.8 to 12.8 with 7.8 MB, 11.7 with 10.4 MB; one worker alone 16 to
    17 with any but the largest. No chunk has a single lane where that can be avoided: a batch of one takes
    another kernel and is padded.

    Args:
        count: lanes of the cohort.
        size: bytes a lane touches in a step.
        workers: chunks that train at the same time.
        device: of the lanes.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        lanes = max(2, int(free * 0.5 / (3 * size)))
        chunks = -(-count // lanes)
    else:
        lanes = min(max(CHUNK_BYTES // size, 2), MOST_LANES)
        chunks = -(-count // lanes)
        if count >= workers * FEWEST_LANES:
            chunks = -(-chunks // workers) * workers
    chunks = min(chunks, max(count // 2, 1))
    small, larger = divmod(count, chunks)
    return [small + 1] * larger + [small] * (chunks - larger)


CHUNK_BYTES = 6_500_000
MOST_LANES = 256
FEWEST_LANES = 6
"""A chunk of fewer lanes costs more a lane than a second worker saves."""
