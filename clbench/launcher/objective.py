"""What a run returns to the sweeper: its score on the split that `objective` names, higher is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hydra.types import RunMode

from clbench.config import fingerprint

if TYPE_CHECKING:
    from clbench.runs import Run

OBJECTIVES = ("val", "test")
"""Splits that a run may be judged by; `test` must be asked for by name."""

COUNTING_SWEEPERS = (
    "hydra_plugins.clbench_lanes.StudySweeper",
    "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
)
"""Sweepers whose jobs are known before any has ended: nothing is chosen by a score."""

PRESET = "clbench_optuna"
"""Our settings of Hydra's sweeper for Optuna, in `conf/hydra/sweeper`."""

NO_SCORES = "No trials are completed yet"
"""What Optuna says, by a ValueError, when it is asked for the best of none."""


def objective_of(config: Mapping[str, Any]) -> str:
    """Return the split by which a job's run is judged."""
    return str(config.get("objective", "val"))


def name_problems(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for every `objective` that is no split to judge by."""
    names = dict.fromkeys(objective_of(config) for config in configs)
    return [
        f"objective must be val or test; got objective={name}. Choose val, unless nothing is to be tested."
        for name in names
        if name not in OBJECTIVES
    ]


def preset_problems(arguments: Sequence[str]) -> list[str]:
    """Return a line where a command names the preset of a sweeper that isn't installed."""
    if f"hydra/sweeper={PRESET}" not in arguments or find_spec("hydra_plugins.hydra_optuna_sweeper"):
        return []
    return [
        f"The preset {PRESET} must have Hydra's sweeper for Optuna; got hydra/sweeper={PRESET} without it. "
        "Install it: pip install hydra-optuna-sweeper."
    ]


def search_problem(error: Exception) -> str | None:
    """Return the line for a search that ended without any score, which Optuna has no best of; else None."""
    if not str(error).startswith(NO_SCORES):
        return None
    return (
        "A search must have a trial with a score; got none, since every run diverged or failed. "
        "Search where λ and the learning rate are smaller."
    )


def is_tuned(hydra: Any) -> bool:
    """Return, from Hydra's node of a job, whether a sweeper chooses by what its runs return."""
    return hydra.mode == RunMode.MULTIRUN and hydra.sweeper.get("_target_") not in COUNTING_SWEEPERS


def score_problems(tuned: Iterable[tuple[Mapping[str, Any], Run]]) -> list[str]:
    """Return a line for every kind of run that would have no score to give a tuner.

    Args:
        tuned: a job's configuration and its run, which breaks no other rule.
    """
    kinds = {
        (fingerprint(run.stream, run.evaluation), objective_of(config)): (run, objective_of(config))
        for config, run in tuned
    }
    reasons = dict.fromkeys(_without_score(run, split) for run, split in kinds.values())
    return [
        f"A tuner must be given a score; got {reason}. Or set objective=test, and keep other data for a test."
        for reason in reasons
        if reason is not None
    ]


def _without_score(run: Run, split: str) -> str | None:
    """Return why a run has no score on a split and what to do, None if it has one."""
    if split not in run.evaluation.splits:
        return f"objective={split} and evaluation.splits={list(run.evaluation.splits)}. Add {split}"
    if not any(len(task.split(split)) for task in run.stream.build(run.seed).tasks):
        name = run.labels.get("stream", type(run.stream).__name__)
        return f"objective={split} and no such samples in stream={name}. Give the stream some"
    return None
