"""What a command line changes of the study that it runs; reported beside the verdicts on its claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from clbench.launcher.folders import NOT_SHAPING
from clbench.launcher.grammar import parsed
from clbench.launcher.grids import Grid
from clbench.launcher.places import GROUP

LAMBDA = "strategy.lam"


def is_change(override: Override) -> bool:
    """Return whether an override is of what shapes a result besides the seed, which n speaks for."""
    return override.key_or_group.partition(".")[0] not in (*NOT_SHAPING, GROUP, "seed")


def changes(
    overrides: Iterable[Override], given: Grid, grids: Iterable[Grid], study: DictConfig
) -> list[str]:
    """Return the settings that a command line changes of a study, as `training.steps=500 → 20`.

    A part of a grid's values is a narrower sweep of the same runs, and no change; but a part of the λ is,
    since the best of them may be another.

    Args:
        overrides: of the command line.
        given: their values by key, as they were written.
        grids: of the study.
        study: its configuration without the command line.
    """
    axes: dict[str, list[str]] = {}
    for grid in grids:
        for key, values in grid.items():
            axes.setdefault(key, []).extend(values)
    found = []
    for override in filter(is_change, overrides):
        key = override.key_or_group
        here = [] if override.is_delete() else given[override.get_key_element()]
        there = list(dict.fromkeys(axes[key])) if key in axes else [_fixed(key, study)]
        known, asked = {_plain(value) for value in there}, {_plain(value) for value in here}
        if asked != known and not (key in axes and key != LAMBDA and asked and asked <= known):
            found.append(f"{key}={','.join(there)} → {','.join(here) or 'nothing'}")
    return found


def _fixed(key: str, study: DictConfig) -> str:
    """Return the value that a study gives a key, or its choice from a group; `nothing` without one."""
    choices: Mapping[str, Any] = study.hydra.runtime.choices
    if key in choices:
        return str(choices[key])
    value = OmegaConf.select(study, key, throw_on_resolution_failure=False)
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=False)
    return "nothing" if value is None else str(value)


def _plain(text: str) -> str:
    """Return a value so that equal ones are spelled alike: `[16,8]` and `[16, 8]`, 0.1 and 1e-1."""
    override = parsed(f"value={text}")
    value = text if override is None else override.value()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value))
    return repr(value)
