"""Where a sweep comes from, as its own files say: the study, the command, the code and the machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clbench.analysis.load import Records
from clbench.records.commands import read_commands

NO_PARAMETER = ("hydra.mode=", "hydra.sweep.dir=", "hydra.run.dir=")
"""Overrides that say how a command ran and not what it computed."""


@dataclass(frozen=True)
class Origin:
    """Where a sweep comes from.

    Args:
        name: the study's name, or the stream's.
        commands: what reproduces it, in their order; none where its files do not say.
        study: `question`, `claim`, … of the study, empty without one.
        facts: code version, libraries, machine, … with all the values that the runs have.
        config: the resolved configuration of the first run, as YAML.
    """

    name: str
    commands: Sequence[str]
    study: Mapping[str, Any]
    facts: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


def origin_of(results: Records) -> Origin:
    """Return where results come from; what their files do not say is left out."""
    folder = results.folder
    sweep = read_yaml(folder / "multirun.yaml")
    summaries = [summary for run in results.runs["run"] if (summary := _summary(results.run_folder(run)))]
    provenances = [summary.get("provenance", {}) for summary in summaries]
    study = sweep.get("study") or _first(item.get("config", {}).get("study") for item in provenances) or {}
    written = _sweep_command(sweep) if sweep else _run_command(folder)  # of older folders
    config = provenances[0].get("config", {}) if provenances else {}
    return Origin(
        name=study_name(sweep) or ", ".join(dict.fromkeys(results.runs["stream"])),
        commands=read_commands(folder) or ([written] if written else []),
        study=study if isinstance(study, Mapping) else {},
        facts=_facts(summaries, provenances),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True) if config else "",
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML mapping, empty where there is no such file; interpolations stay as they are written."""
    if not path.is_file():
        return {}
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def study_name(sweep: Mapping[str, Any]) -> str | None:
    """Return which study a `multirun.yaml` is of, None if it is of none."""
    choice = _below(sweep, "hydra", "runtime", "choices").get("experiments")
    return str(choice) if choice not in (None, "null") else None


def _sweep_command(sweep: Mapping[str, Any]) -> str:
    """Return the command line of a sweep from the overrides in its `multirun.yaml`."""
    overrides = _below(sweep, "hydra", "overrides")
    given = [*(overrides.get("hydra") or []), *(overrides.get("task") or [])]
    words = [word for word in given if not word.startswith(NO_PARAMETER)]
    asked = ["-m"] if "hydra.mode=MULTIRUN" in given else []  # a study may be a sweep by itself
    return shlex.join(["clbench", *asked, *words])


def _run_command(folder: Path) -> str | None:
    """Return the command line of a single run from its `.hydra/overrides.yaml`."""
    path = folder / ".hydra" / "overrides.yaml"
    if not path.is_file():
        return None
    words = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    return shlex.join(["clbench", *(word for word in words if not word.startswith(NO_PARAMETER))])


def _facts(summaries: list[dict[str, Any]], provenances: list[dict[str, Any]]) -> dict[str, str]:
    """Return what is known of code, machine and cost, with every value that occurs among the runs."""
    facts = {
        "clbench": _values(
            " ".join(str(part) for part in (item.get("code") or {}).values()) for item in provenances
        ),
        "Python": _values(item.get("python") for item in provenances),
        "libraries": _values(
            ", ".join(f"{name} {version}" for name, version in (item.get("libraries") or {}).items())
            for item in provenances
        ),
        "machine": _values(item.get("machine") for item in provenances),
        "device": _values(item.get("device") for item in provenances),
        "threads": _values(item.get("threads") for item in provenances),
    }
    for name, unit in (("steps", "gradient steps"), ("samples", "samples"), ("seconds", "seconds")):
        values = [summary[name] for summary in summaries if isinstance(summary.get(name), (int, float))]
        if values:
            facts[f"{unit} of all runs"] = f"{sum(values):,.0f}"
    return {name: text for name, text in facts.items() if text}


def _values(items: Iterable[Any]) -> str:
    """Return all different values as one text."""
    return "; ".join(dict.fromkeys(str(item) for item in items if item not in (None, "")))


def _first(items: Iterable[Any]) -> Any:
    """Return the first item that is something."""
    return next((item for item in items if item), None)


def _below(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the mapping at a path of keys, empty where there is none."""
    for key in path:
        tree = tree.get(key) or {}
        if not isinstance(tree, Mapping):
            return {}
    return tree


def _summary(folder: Path) -> dict[str, Any]:
    """Return a run's `summary.json`, empty where it isn't there."""
    path = folder / "summary.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
