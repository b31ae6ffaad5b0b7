"""A run's folder: `losses.csv`, `training.csv`, `summary.json`, and a small regression's function."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from clbench.records.columns import final_columns, leading_metric, oriented
from clbench.records.declared import METRICS
from clbench.records.files import column_bytes, json_bytes, write_shared, write_whole
from clbench.records.metrics import all_metrics
from clbench.records.own import own_declarations
from clbench.records.provenance import provenance

if TYPE_CHECKING:  # the engine's package imports torch, which must not be needed to read or write records
    from clbench.engine.results import LearnedFunction, RunResult
    from clbench.runs import Run

SUMMARY = "summary.json"
SUBSET = "subset.csv"
"""As `losses.csv`, of step 0 and the ends of stages, on the fixed subset that the points between have."""


def write_run(
    folder: Path | str, run: Run, result: RunResult, config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write what a run leaves behind, and return its summary.

    Every file is whole or not there. `summary.json` comes last and marks a whole run; an old one goes first.

    Args:
        folder: the run's folder; made if it isn't there. Its name is the run's name.
        run: what was run.
        result: what came out.
        config: the resolved configuration, for the provenance and for the columns of `runs.csv`.

    Raises:
        OSError: the folder can't be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).unlink(missing_ok=True)
    write_whole(folder / "losses.csv", losses_bytes(result))
    (folder / SUBSET).unlink(missing_ok=True)
    if (ends := ends_on_subset(result)) is not None:
        write_whole(folder / SUBSET, losses_bytes(ends))
    write_whole(folder / "training.csv", training_bytes(result))
    if result.function is not None:
        write_function(folder, result.function)
    summary = summarise(folder.name, run, result, config)
    write_whole(folder / SUMMARY, json_bytes(summary))
    return summary


def losses_bytes(result: RunResult) -> bytes:
    """Return `losses.csv`: a row per evaluation point, task and split, without splits that are empty.

    The bytes depend on the result's arrays alone.
    """
    tasks, splits = tuple(result.tasks), tuple(result.splits)
    present = ~np.isnan(result.loss).all(axis=0).reshape(-1)
    step = np.asarray(result.step, dtype=np.int64)
    stage = np.asarray(result.stage, dtype=np.int64)
    columns = dict(_places(step.tobytes(), stage.tobytes(), tasks, splits, present.tobytes()))
    columns["loss"] = _flat(result.loss, present)
    for name in result.scores:
        columns[name] = _flat(result.score[name], present)
    return column_bytes(columns)


def ends_on_subset(result: RunResult) -> RunResult | None:
    """Return step 0 and the ends of stages on the fixed subset; None where that is the whole split."""
    full = np.asarray(result.full)
    whole = {"loss": result.loss, **result.score}
    subset = result.subset
    if all(np.array_equal(values, whole[name][full], equal_nan=True) for name, values in subset.items()):
        return None
    scores = {name: subset[name] for name in result.scores}
    ends = {"step": np.asarray(result.step)[full], "stage": np.asarray(result.stage)[full]}
    return replace(result, **ends, full=full[full], loss=subset["loss"], score=scores)


def _flat(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return `[points, tasks, splits]` as one column of float64, point by point."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), present.size)[:, present].reshape(-1)


@functools.lru_cache(maxsize=64)
def _places(
    step: bytes, stage: bytes, tasks: tuple[str, ...], splits: tuple[str, ...], present: bytes
) -> dict[str, pa.Array]:
    """Return the columns before `loss`, which all runs of a sweep with the same points share."""
    steps, stages = np.frombuffer(step, np.int64), np.frombuffer(stage, np.int64)
    kept = np.frombuffer(present, np.bool_)
    pairs = [(task, split) for task in tasks for split in splits]
    chosen = [pair for pair, keep in zip(pairs, kept, strict=True) if keep]
    return {
        "step": pa.array(np.repeat(steps, len(chosen))),
        "stage": pa.array(np.repeat(stages, len(chosen))),
        "task": pa.array([task for task, _ in chosen] * len(steps), pa.string()),
        "split": pa.array([split for _, split in chosen] * len(steps), pa.string()),
    }


def training_bytes(result: RunResult) -> bytes:
    """Return `training.csv`: a row per evaluation point after step 0."""
    after = np.asarray(result.step) > 0
    columns = {"step": np.asarray(result.step)[after], "stage": np.asarray(result.stage)[after]}
    columns |= {name: np.asarray(values, np.float64) for name, values in result.training.items()}
    return column_bytes(columns)


def write_function(folder: Path, function: LearnedFunction) -> None:
    """Write `data.csv` (`task,split,x,y`) and `function.csv` (`stage,x,prediction`).

    Runs of one stream and seed share the data: their `data.csv` are one file on the disk.
    """
    stages, points = np.asarray(function.predictions).shape
    columns = {
        "stage": np.repeat(np.arange(stages), points),
        "x": np.tile(np.asarray(function.x, np.float64), stages),
        "prediction": np.asarray(function.predictions, np.float64).reshape(-1),
    }
    write_whole(folder / "function.csv", column_bytes(columns))
    arrays = {
        (task, split): (np.asarray(x, np.float64).reshape(-1), np.asarray(y, np.float64).reshape(-1))
        for task, by_split in function.samples.items()
        for split, (x, y) in by_split.items()
    }
    key = hashlib.sha256(repr(list(arrays)).encode())
    for x, y in arrays.values():
        key.update(b"%d " % x.size + x.tobytes() + y.tobytes())
    write_shared(folder / "data.csv", key.hexdigest(), lambda: _data_bytes(arrays))


def _data_bytes(arrays: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]) -> bytes:
    """Return `data.csv`, given x and y by task and split."""
    counts = [(task, split, x.size) for (task, split), (x, _) in arrays.items()]
    columns = {
        "task": pa.array([task for task, _, count in counts for _ in range(count)], pa.string()),
        "split": pa.array([split for _, split, count in counts for _ in range(count)], pa.string()),
        "x": np.concatenate([x for x, _ in arrays.values()] or [np.zeros(0)]),
        "y": np.concatenate([y for _, y in arrays.values()] or [np.zeros(0)]),
    }
    return column_bytes(columns)


def summarise(
    name: str, run: Run, result: RunResult, config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a run's row of `runs.csv` with what made it.

    A run that is not `done` has no final point, and so neither final values nor metrics (null): its records
    up to then are in `losses.csv`.
    """
    labels = {str(key): str(value) for key, value in run.labels.items()}
    lam = getattr(run.strategy, "lam", None)
    own = own_declarations(result.scores)
    return {
        "run": name,
        "strategy": labels.get("strategy", type(run.strategy).__name__),
        "role": run.strategy.role,
        "lam": float(lam) if isinstance(lam, (int, float)) else None,
        "seed": run.seed,
        "stream": labels.get("stream", type(run.stream).__name__),
        "status": result.status,
        **_final_values(result),
        "steps": result.steps,
        "samples": result.samples,
        "seconds": result.seconds,
        "trained_here": result.trained_here,
        "diverged_after": result.diverged_after,
        "message": result.message,
        "labels": labels,
        "tasks": list(result.tasks),
        "splits": list(result.splits),
        "scores": list(result.scores),
        "metric": leading_metric(result.scores),
        "program": dict(result.program),
        "diagnostics": [],
        **({"declared": own} if own else {}),
        "provenance": provenance(run, config, result.execution, result.files),
    }


def _final_values(result: RunResult) -> dict[str, Any]:
    """Return the final point, the metrics on the test split, and R[j,j] as `diagonal`."""
    finals = final_columns(result.tasks, result.splits, result.scores)
    if result.status != "done":
        return {final.column: None for final in finals} | dict.fromkeys(METRICS) | {"diagonal": None}
    arrays = {"loss": result.loss, **result.score}
    values = {
        final.column: float(
            arrays[final.metric][-1, result.tasks.index(final.task), result.splits.index(final.split)]
        )
        for final in finals
    }
    lead = leading_metric(result.scores)
    curve = oriented(arrays[lead][:, :, result.splits.index("test")], lead)
    step, stage, full = np.asarray(result.step), np.asarray(result.stage), np.asarray(result.full)
    subset = result.subset.get(lead)
    if subset is not None:
        subset = oriented(subset[:, :, result.splits.index("test")], lead)
    metrics, diagonal = all_metrics(curve, step, stage, full, subset)
    return {**values, **metrics, "diagonal": diagonal.tolist()}
