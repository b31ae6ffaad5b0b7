"""A run's result, put together from the records of its phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clbench.config import SPLITS
from clbench.engine.lane import LaneRecord, finite_points
from clbench.engine.recorder import StageRecord, grid_of
from clbench.engine.results import TRAINING_COLUMNS, LearnedFunction, RunResult
from clbench.runs import Run
from clbench.streams.base import Stream


def compose_result(run: Run, number: int, last: LaneRecord) -> RunResult:
    """Return the result of a run.

    Args:
        run: the run.
        number: its number; the first run of a phase is charged with having trained it.
        last: the record of its last phase, or of that in which it failed or diverged.
    """
    path = last.chain()
    stream, splits = last.phase.stream, run.evaluation.splits
    trained = [(lane.record, lane) for lane in path if lane.record is not None]
    finite = [finite_points(record, lane.lane, stream, run.evaluation) for record, lane in trained]
    columns = _joined(
        [_columns(record, lane, points) for (record, lane), points in zip(trained, finite, strict=True)]
    )
    failed = last.message
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
        subset={
            name.rpartition("/")[2]: columns.get(f"subset/{name}", empty)
            for name in ("loss", *(f"score/{name}" for name in stream.scores))
        },
        training={name: columns.get(f"training/{name}", np.zeros(0)) for name in TRAINING_COLUMNS},
        steps=sum(record.steps for record, _ in trained),
        samples=sum(record.samples for record, _ in trained),
        seconds=sum(lane.seconds / len(lane.phase.runs) for lane in path),
        trained_here=sum(lane.phase.runs[0] == number and not lane.stored for _, lane in trained),
        diverged_after=int(step[-1]) if diverged and len(step) else None,
        message=failed or (_divergence(step) if diverged else None),
        function=None if failed else _function(stream, trained),
        program={"lanes": max((lane.lanes for _, lane in trained), default=0)},
    )


def _columns(record: StageRecord, where: LaneRecord, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return one lane's arrays of a stage by name, at the points where it was finite."""
    found = {
        "step": record.step[points],
        "stage": np.full(points.sum(), where.phase.stage),
        "full": record.full[points],
    }
    for name, values in record.of_lane(where.lane).items():
        kept = points[record.full] if name.startswith("subset/") else points[len(points) - len(values) :]
        found[name] = values[kept]
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


def _function(stream: Stream, trained: Sequence[tuple[StageRecord, LaneRecord]]) -> LearnedFunction | None:
    """Return what a one-dimensional regression learned; None for all else."""
    found = [record.function[lane.lane] for record, lane in trained if record.function is not None]
    if not found:
        return None
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
    return LearnedFunction(grid_of(stream)[:, 0].numpy(), np.stack(found), samples)
