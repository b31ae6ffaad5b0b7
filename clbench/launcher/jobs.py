"""Jobs as the application trains them: plain data from Hydra's configurations, and what its keys may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from clbench.errors import known, shown
from clbench.launcher.folders import as_dict, labels, typed, unresolved
from clbench.launcher.objective import is_tuned
from clbench.launcher.schema import KEYS, PARTS, TOP


@dataclass(frozen=True)
class Job:
    """One job of a sweep, below Hydra.

    Args:
        config: the resolved task configuration as plain data.
        labels: names of the parts, for tables.
        folder: where its files go, absolute.
        log: the job's log file, or None where Hydra's own handlers write it.
        unused: top-level keys that nothing reads, as `unused_keys` finds them.
        tuned: whether a sweeper chooses by the run's score, which it then must have.
    """

    config: Mapping[str, Any]
    labels: Mapping[str, str]
    folder: Path
    log: Path | None = None
    unused: Sequence[str] = ()
    tuned: bool = False


Train = Callable[[Sequence[Job], Callable[[], None] | None], Sequence[Any]]
"""What trains jobs together: it is given them and `begin`, to be called when no problem was found in any of
them and before anything trains, and returns each one's score or error."""


def current_job(config: DictConfig) -> Job:
    """Return the job whose `HydraConfig` is current: `${hydra:…}` is resolved against it."""
    hydra = HydraConfig.get()
    plain = as_dict(config, resolve=True)
    names = labels(plain, hydra.runtime.choices, typed(hydra.overrides.task))
    unused = unused_keys(unresolved(config))
    return Job(plain, names, Path(hydra.runtime.output_dir), unused=unused, tuned=is_tuned(hydra))


def plain_task(config: DictConfig) -> dict[str, Any]:
    """Return the resolved task of a configuration whose node `hydra` can't be resolved yet.

    Raises:
        OmegaConfBaseException: an interpolation can't be resolved, or a value is missing.
    """
    values = {str(key): config[key] for key in config if key in KEYS}
    return {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in values.items()
    }


def unused_keys(task: Mapping[str, Any]) -> list[str]:
    """Return the top-level keys, with their values, that are no run's and that no value refers to.

    Args:
        task: a task configuration as plain data, with its interpolations as they stand.
    """
    text = repr(task)
    return [
        f"{key}={shown(value)}"
        for key, value in task.items()
        if key not in KEYS and not re.search(rf"\$\{{[^}}]*\b{re.escape(str(key))}\b", text)
    ]


def key_problems(unused: Iterable[str]) -> list[str]:
    """Return a line for every top-level key that nothing reads."""
    return [
        f"A top-level key must be one that is read; got {line}. {known(KEYS)} "
        "A key of your own must be used by another, as in optimizer.lr='${key}'."
        for line in unused
    ]


def override_problems(overrides: Iterable[str]) -> list[str]:
    """Return a line for every key that is taken out, and for every list of choices of one group.

    Hydra would lay such choices one over the other.
    """
    lines = list(dict.fromkeys(overrides))
    choices = (line.partition("=") for line in lines)
    return [
        f"A run must have all of its keys; got {line.partition('=')[0]}. Give it another value instead."
        for line in lines
        if line.startswith("~") and line[1:].partition("=")[0] in TOP
    ] + [
        f"A run must have one choice of a group; got {group}={value}. "
        f"Sweep over them: -m {group}={value.strip('[]')}."
        for group, _, value in choices
        if group in PARTS and value.startswith("[")
    ]
