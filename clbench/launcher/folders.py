"""Stable names of folders: a readable part and the hash of all that shapes a run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clbench.execution import FIELDS
from clbench.launcher.schema import PARTS
from clbench.sources import training_sources

NOT_SHAPING = ("hydra", *FIELDS, "execution", "study", "objective")
"""Top-level keys and groups that don't change what a run computes, or only where."""

LONGEST = 180
"""Bytes of a name's readable part; file systems take 255 for all of it."""


def labels(config: Mapping[str, Any], choices: Mapping[str, Any], overrides: list[str]) -> dict[str, str]:
    """Return how a run's parts are called in tables.

    A part is called by its key `name`, else by its file in the group, unless its class was changed by an
    override: then by its class.
    """
    found = {}
    for part in PARTS:
        node = config.get(part) or {}
        target = str(node.get("_target_", ""))
        own = any(line.lstrip("+").startswith(f"{part}._target_=") for line in overrides)
        choice = None if own else choices.get(part)
        found[part] = str(node.get("name") or choice or target.rpartition(".")[2] or part)
    return found


def typed(overrides: Sequence[str]) -> list[str]:
    """Return `hydra.overrides.task` as typed, without resolving `${…}` in it."""
    lines = OmegaConf.to_container(overrides, resolve=False) if OmegaConf.is_config(overrides) else overrides
    return [str(line) for line in lines or ()]


def as_dict(node: Any, resolve: bool) -> dict[str, Any]:
    """Return a mapping of a configuration as plain data.

    Raises:
        OmegaConfBaseException: a value is to be resolved and can't be.
    """
    plain = OmegaConf.to_container(node, resolve=resolve)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def readable(config: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the readable part, ASCII: stream, scenario, strategy, λ and seed, as far as there are any."""
    stream, strategy = config.get("stream") or {}, config.get("strategy") or {}
    words = [names["stream"], stream.get("scenario"), names["strategy"]]
    if strategy.get("lam") is not None:
        words.append(f"lam{_plain(strategy['lam'])}")
    words.append(f"seed{config.get('seed')}")
    return "-".join(_word(word) for word in words if word is not None)[:LONGEST]


def config_hash(config: Mapping[str, Any]) -> str:
    """Return 10 hexadecimal digits of a task configuration and of the code that would train it."""
    shaping = {key: value for key, value in config.items() if key not in NOT_SHAPING}
    text = json.dumps([training_sources(), _plain(shaping)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def folder_name(config: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the name of a run's folder in its sweep."""
    return f"{readable(config, names)}-{config_hash(config)}"


def _plain(value: Any) -> Any:
    """Return a configuration in which 1.0 is written as 1: the same number, the same run.

    From 2⁵³ on floats no longer are all whole numbers below them, and stay as they are: 1e+30.
    """
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_whole else value


def _word(value: object) -> str:
    """Return a value without the characters that make trouble in the name of a folder."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", str(value)).strip("_") or "_"


def unresolved(root: DictConfig) -> dict[str, Any]:
    """Return the task configuration as plain data, interpolations left as they stand."""
    return as_dict(OmegaConf.masked_copy(root, [str(key) for key in root if key != "hydra"]), resolve=False)


def resolved(node: DictConfig | ListConfig) -> Any:
    """Return a configuration as plain data; what can't be resolved, or not yet, stands as it is written."""
    try:
        return OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException:
        written = OmegaConf.to_container(node, resolve=False)
    if isinstance(written, list):
        return [_resolved_item(node, index, item) for index, item in enumerate(written)]
    assert isinstance(written, dict)
    return {key: _resolved_item(node, key, item) for key, item in written.items()}


def _resolved_item(node: Any, key: Any, written: Any) -> Any:
    try:
        value = node[key]
    except OmegaConfBaseException:
        return written
    return resolved(value) if isinstance(value, (DictConfig, ListConfig)) else value


def _task(root: DictConfig) -> dict[str, Any]:
    """Return the task configuration as plain data: a run's name says what is run, not how that was typed."""
    written = as_dict(root, resolve=False)
    return {key: _resolved_item(root, key, item) for key, item in written.items() if key != "hydra"}


def _names(root: DictConfig, config: Mapping[str, Any]) -> dict[str, str]:
    return labels(config, root.hydra.runtime.choices, typed(root.hydra.overrides.task))


def run_folder(*, _root_: DictConfig) -> str:
    """Resolve `${run_folder:}`, the folder of a job in its sweep."""
    config = _task(_root_)
    return folder_name(config, _names(_root_, config))


def study_name(*, _root_: DictConfig) -> str:
    """Resolve `${sweep_name:}`: the study's name, or `sweep`."""
    choice = _root_.hydra.runtime.choices.get("experiments")
    return _word(choice)[:LONGEST] if choice else "sweep"


def run_name(*, _root_: DictConfig) -> str:
    """Resolve `${run_name:}`: what is run, readable."""
    config = _task(_root_)
    return readable(config, _names(_root_, config))


def register_resolvers() -> None:
    """Make `${run_folder:}`, `${sweep_name:}` and `${run_name:}` known to OmegaConf."""
    for name, resolver in (("run_folder", run_folder), ("sweep_name", study_name), ("run_name", run_name)):
        OmegaConf.register_new_resolver(name, resolver, replace=True)
