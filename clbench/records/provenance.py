"""What made a run: configuration, code version, library versions, machine."""

from __future__ import annotations

import dataclasses
import functools
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.config import fingerprint
from clbench.digests import RunFiles
from clbench.execution import OF_RUN
from clbench.sources import training_sources

if TYPE_CHECKING:  # a run's parts import torch, which must not be needed to read records
    from clbench.runs import Run

LIBRARIES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "hydra-core", "scikit-learn")
OWN_CODE = "clbench's own code"

SHAPING = ("stream", "model", "strategy", "optimizer", "training", "evaluation")
"""The fields of a run, besides its seed, that shape its numbers."""


def provenance(
    run: Run, config: Mapping[str, Any] | None, execution: Mapping[str, Any], files: RunFiles
) -> dict[str, Any]:
    """Return where a run's numbers come from.

    Args:
        run: the run.
        config: its resolved configuration; the run's own fields where there is none.
        execution: how the machine was used.
        files: digests of the user's files that shaped it, by part and name.
    """
    return {
        "config": config or own_config(run),
        **identity(run, files),
        "code": code_version(),
        "python": platform.python_version(),
        "libraries": library_versions(),
        "machine": platform.machine(),
        **{name: getattr(run, name) for name in OF_RUN},
        **execution,
    }


def identity(run: Run, files: RunFiles) -> dict[str, Any]:
    """Return what must be equal for two runs to be the same one, by name."""
    setting = setting_hash(run, files)
    return {
        "config_hash": fingerprint(setting, run.strategy, files.get("strategy")),
        "setting_hash": setting,
        "sources": training_sources(),
        "files": {part: dict(found) for part, found in files.items()},
    }


def setting_hash(run: Run, files: RunFiles) -> str:
    """Return what runs share that differ in nothing but their strategy: the key of paired comparisons."""
    shared = [part for part in SHAPING if part != "strategy"]
    return fingerprint(*((getattr(run, part), files.get(part)) for part in shared), run.seed)


def contents(runs: Iterable[RunFiles]) -> dict[str, set[str]]:
    """Return the digests, by name, of the user's files that shape some runs, and of clbench's own code."""
    found = {OWN_CODE: {training_sources()}}
    for run in runs:
        for name, digest in _by_name(run):
            found.setdefault(name, set()).add(digest)
    return found


def unlike(known: Mapping[str, set[str]], made_by: Mapping[str, Any]) -> list[str]:
    """Return the names under which a run, by its provenance, had other contents than those known."""
    named = [(OWN_CODE, made_by["sources"]), *_by_name(made_by["files"])]
    return list(dict.fromkeys(name for name, digest in named if digest not in known.get(name, {digest})))


def _by_name(files: RunFiles) -> Iterator[tuple[str, str]]:
    for of_part in files.values():
        yield from of_part.items()


def own_config(run: Run) -> dict[str, Any]:
    """Return a run's fields as a configuration names them, for runs that did not come from Hydra."""
    found = {part: _node(getattr(run, part)) for part in SHAPING}
    for plain in ("training", "evaluation"):
        del found[plain]["_target_"]
    return {**found, "seed": run.seed, **{name: getattr(run, name) for name in OF_RUN}}


def _node(value: Any) -> Any:
    """Return a part as its node of a configuration: its class as `_target_`, its fields, at any depth."""
    if dataclasses.is_dataclass(value):
        fields = {item.name: _node(getattr(value, item.name)) for item in dataclasses.fields(value)}
        return {"_target_": f"{type(value).__module__}.{type(value).__qualname__}"} | fields
    if isinstance(value, Mapping):
        return {str(key): _node(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_node(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


@functools.cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed, without importing them."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def code_version() -> dict[str, str]:
    """Return the package's version, and the git commit (`+changed` if edited) where it is a checkout."""
    try:
        found = {"version": metadata.version("clbench")}
    except metadata.PackageNotFoundError:
        found = {"version": "not installed"}
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").exists() and (root / ".git").exists():
        command = [
            "git",
            "-C",
            str(root),
            "describe",
            "--always",
            "--abbrev=40",
            "--exclude=*",
            "--dirty=+changed",
        ]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
            found["commit"] = answer.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass  # no git on this machine: the version has to do
    return found
