"""Configurations of jobs at a fraction of Hydra's cost, equal to what Hydra composes.

Hydra composes every job from its files, about 50 ms each. Jobs of a sweep mostly differ in plain values, so
the first job of each choice of groups is composed by Hydra, and the others by setting their values in it.
Whatever isn't plain (dictionaries, deleted keys, hydra's own keys) counts as such a choice.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from clbench.launcher.folders import as_dict


@dataclass
class Template:
    """A composed configuration in which the plain values of one job after the other are set.

    Args:
        config: as Hydra composed it for the first job; changed in place by `fill`.
        keys: the plain keys that every job of this template sets.
        task: the same without the node `hydra`, made when it is needed.
        converted: values by the overrides that set them, as `values` returns them.
    """

    config: DictConfig
    keys: tuple[str, ...]
    task: DictConfig | None = None
    converted: dict[str, Any] = field(default_factory=dict)

    def fill(self, job: int, overrides: Sequence[Override]) -> DictConfig:
        """Set a job's values, and what Hydra notes of it; return the shared configuration.

        Raises:
            OmegaConfBaseException: a value doesn't fit its key.
        """
        for override in overrides:
            if override.key_or_group in self.keys:
                OmegaConf.update(self.config, override.key_or_group, override.value(), merge=True)
        node = self.config.hydra
        node.overrides.task = task_lines(overrides)
        node.job.override_dirname = override_dirname(overrides, node.job.config.override_dirname)
        return _numbered(self.config, job)

    def values(self, overrides: Sequence[Override]) -> tuple[Any, ...]:
        """Return a job's values, converted to their keys' types; equal lines are converted once.

        Raises:
            OmegaConfBaseException: a value doesn't fit its key.
        """
        return tuple(self._converted(item) for item in overrides if item.key_or_group in self.keys)

    def _converted(self, override: Override) -> Any:
        line = str(override.input_line)
        if line not in self.converted:
            value = self._set(override)
            if not (isinstance(value, str) and "${" in value):
                value = OmegaConf.select(self._own_task(), override.key_or_group)
            self.converted[line] = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        return self.converted[line]

    def _set(self, override: Override) -> Any:
        value = override.value()
        OmegaConf.update(self._own_task(), override.key_or_group, value, merge=True)
        return value

    def resolved(self, overrides: Sequence[Override]) -> dict[str, Any]:
        """Return the task's part of a job's configuration as plain data, with what `${…}` stands for.

        Raises:
            OmegaConfBaseException: a value can't be resolved.
        """
        for override in overrides:
            if override.key_or_group in self.keys:
                self._set(override)
        return as_dict(self._own_task(), resolve=True)

    def task_container(self) -> dict[str, Any]:
        """Return the task's part of the configuration as plain data, with the values of some job."""
        return as_dict(self._own_task(), resolve=False)

    def _own_task(self) -> DictConfig:
        if self.task is None:
            self.task = copy.deepcopy(self.config)
            with open_dict(self.task):
                del self.task["hydra"]
        return self.task


def task_lines(overrides: Sequence[Override]) -> list[str]:
    """Return the overrides that aren't Hydra's own, as typed."""
    return [str(override.input_line) for override in overrides if not override.is_hydra_override()]


def override_dirname(overrides: Sequence[Override], rule: Any) -> str:
    """Return `hydra.job.override_dirname` of a job, as Hydra 1.3 makes it."""
    kept = [override for override in overrides if override.key_or_group not in rule["exclude_keys"]]
    return str(rule["item_sep"]).join(sorted(task_lines(kept))).replace("=", str(rule["kv_sep"]))


class Composer:
    """Composes the jobs of one sweep.

    Args:
        loader: Hydra's own.
        master: the configuration of the sweep.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader = loader
        self.master = master
        self.templates: dict[object, Template] = {}
        self._parser = OverridesParser.create()
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}

    def compose(self, job: int, overrides: Sequence[str]) -> DictConfig:
        """Return the configuration of the job of a number, `hydra` node included."""
        template, parsed = self.find(overrides)
        if template is not None:
            with contextlib.suppress(OmegaConfBaseException):  # Hydra words the same error for its users
                return copy.deepcopy(template.fill(job, parsed))
        return _numbered(self.loader.load_sweep_config(self.master, list(overrides)), job)

    def find(self, overrides: Sequence[str]) -> tuple[Template | None, list[Override]]:
        """Return the template of a job, made if need be, and the job's overrides.

        None in place of the template where the order of the overrides matters.
        """
        parsed = [self._parse(line) for line in overrides]
        plain = [self._is_plain(override) for override in parsed]
        keys = tuple(item.key_or_group for item, is_value in zip(parsed, plain, strict=True) if is_value)
        others = [item.key_or_group for item, is_value in zip(parsed, plain, strict=True) if not is_value]
        if len(set(keys)) < len(keys) or any(
            f"{key}.".startswith(f"{other}.") and not self._is_group(other)
            for key in keys
            for other in others
        ):
            return None, parsed
        name = (tuple(line for line, is_value in zip(overrides, plain, strict=True) if not is_value), keys)
        if name not in self.templates:
            config = self.loader.load_sweep_config(self.master, list(overrides))
            self.templates[name] = Template(config, keys)
        return self.templates[name], parsed

    def _parse(self, line: str) -> Override:
        if line not in self._parsed:
            self._parsed[line] = self._parser.parse_override(line)
        return self._parsed[line]

    def _is_group(self, key: str) -> bool:
        if key not in self._groups:
            self._groups[key] = bool(self.loader.get_group_options(key, results_filter=None))
        return self._groups[key]

    def _is_plain(self, override: Override) -> bool:
        """Return whether an override sets one key to a plain value, which may come after the composition."""
        return (
            override.type != OverrideType.DEL
            and override.package is None
            and not override.is_hydra_override()
            and not override.is_sweep_override()
            and not self._is_group(override.key_or_group)
            and _is_plain_value(override.value())
        )


def _is_plain_value(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain_value(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _numbered(config: DictConfig, job: int) -> DictConfig:
    """Return a configuration with a job's number and id noted in it, as Hydra's own launcher does."""
    with open_dict(config):
        config.hydra.job.id = job
        config.hydra.job.num = job
    return config
