"""What a phase left for one lane, and a run's result put together from its phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clbench.config import SPLITS
from clbench.engine.plan import Phase
from clbench.engine.program import Tree
from clbench.engine.recorder import StageRecord, grid_of, is_curve
from clbench.engine.results import TRAINING_COLUMNS, LearnedFunction, RunResult
from clbench.runs import Run
from clbench.streams.base import Stream


@dataclass
class Outcome:
    """What a phase left for one lane.

    Args:
        tree: the state of the lane's chunk, emptied when nobody starts from it any more.
        lane: the lane's place in it.
        record: of the chunk's stage; None after a consolidation.
        step: gradient steps so far.
        passed: steps taken through the data of every choice of tasks so far.
        seconds: this lane's share of the chunk's time.
        lanes: how many lanes the program had.
        alive: False once the lane has diverged or failed.
        message: why it failed.
        stored: whether it was trained by an earlier sweep.
        kept: whether the store has it.
    """

    tree: Tree
    lane: int
    record: StageRecord | None
    step: int
    passed: dict[tuple[int, ...], int]
    seconds: float
    lanes: int
    alive: bool = True
    message: str | None = None
    stored: bool = False
    kept: bool = False


def failed_outcome(parent: Outcome | None, message: str) -> Outcome:
    """Return what a lane leaves whose phase raised an error, told in `message`."""
    step = parent.step if parent else 0
    return Outcome({}, 0, None, step, {}, 0.0, lanes=1, alive=False, message=message)


def finite_points(record: StageRecord, lane: int, stream: Stream, splits: tuple[str, ...]) -> np.ndarray:
    """Return at which points of a stage a lane was finite, `[points]`.

    A lane is finite at a point if every loss on a non-empty split is, and so was every batch's task
    loss at the recorded steps up to there.
    """
    filled = np.array([[len(task.split(split)) > 0 for split in splits] for task in stream.tasks])
    finite = np.isfinite(record.loss[:, lane])[:, filled].all(1)
    trained = np.isfinite(record.training["task_loss"][:, lane])
    finite[len(finite) - len(trained) :] &= trained
    return np.logical_and.accumulate(finite)


def compose_result(run: Run, number: int, leaf: Phase, outcomes: Mapping[str, Outcome]) -> RunResult:
    """Return the result of a run from the outcomes of its phases.

    Args:
        run: the run.
        number: its number; the first heir of a phase is charged with having trained it.
        leaf: its last phase.
        outcomes: of every phase, by key.
    """
    path: list[Phase] = []
    phase: Phase | None = leaf
    while phase is not None:
        path.insert(0, phase)
        phase = phase.parent
    stream, splits = leaf.stream, run.evaluation.splits
    trained = [phase for phase in path if outcomes[phase.key].record is not None]
    records = [outcomes[phase.key].record for phase in trained]
    lanes = [outcomes[phase.key].lane for phase in trained]
    finite = [
        finite_points(record, lane, stream, splits) for record, lane in zip(records, lanes, strict=True)
    ]
    columns = _joined(
        [
            _columns(phase.stage, record, lane, points)
            for phase, record, lane, points in zip(trained, records, lanes, finite, strict=True)
        ]
    )
    failed = next((outcomes[phase.key].message for phase in path if outcomes[phase.key].message), None)
    diverged = not all(points.all() for points in finite)
    step = columns.get("step", np.zeros(0, dtype=int))
    empty = np.zeros((0, len(stream.tasks), len(splits)))
    return RunResult(
        status="failed" if failed else "diverged" if diverged else "done",
        tasks=tuple(task.name for task in stream.tasks),
        splits=splits,
        scores=stream.scores,
        step=step,
        stage=columns.get("stage", step),
        full=columns.get("full", step.astype(bool)),
        loss=columns.get("loss", empty),
        score={name: columns.get(f"score/{name}", empty) for name in stream.scores},
        subset={name: columns.get(f"subset/{name}", empty) for name in ("loss", *stream.scores)},
        training={name: columns.get(f"training/{name}", np.zeros(0)) for name in TRAINING_COLUMNS},
        steps=sum(record.steps for record in records),
        samples=sum(record.samples for record in records),
        seconds=sum(outcomes[phase.key].seconds / len(phase.heirs) for phase in path),
        trained_here=sum(phase.heirs[0] == number and not outcomes[phase.key].stored for phase in trained),
        diverged_after=int(step[-1]) if diverged and len(step) else None,
        message=failed or (_divergence(step) if diverged else None),
        function=_function(stream, records, lanes) if is_curve(stream) and not failed else None,
        program={"lanes": max((outcomes[phase.key].lanes for phase in trained), default=0)},
    )


def _columns(stage: int, record: StageRecord, lane: int, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return one lane's arrays of a stage by name, at the points where it was finite."""
    found = {
        "step": record.step[points],
        "stage": np.full(points.sum(), stage),
        "full": record.full[points],
        "loss": record.loss[points, lane],
    }
    for name, values in record.score.items():
        found[f"score/{name}"] = values[points, lane]
    for name, values in record.subset.items():
        found[f"subset/{name}"] = values[points[record.full], lane]
    for name, values in record.training.items():
        found[f"training/{name}"] = values[points[len(points) - len(values) :], lane]
    return found


def _joined(stages: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([stage[name] for stage in stages]) for name in (stages[0] if stages else ())}


def _divergence(step: np.ndarray) -> str:
    if not len(step):
        return (
            "The loss was not finite at step 0, before any training. Look at the size of the inputs and "
            "targets, and at the model's initialisation."
        )
    return f"The loss was no longer finite after step {step[-1]}. Try a smaller learning rate or λ."


def _function(stream: Stream, records: list[StageRecord], lanes: list[int]) -> LearnedFunction:
    samples = {
        task.name: {
            split: (
                stream.inputs[task.split(split), 0].numpy(),
                stream.targets[task.split(split), 0].numpy(),
            )
            for split in SPLITS
        }
        for task in stream.tasks
    }
    predictions = np.stack([record.function[lane] for record, lane in zip(records, lanes, strict=True)])
    return LearnedFunction(grid_of(stream)[:, 0].numpy(), predictions, samples)
