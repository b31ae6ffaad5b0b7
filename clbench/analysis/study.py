"""The study of which a folder holds the results: its claims, its published table, what was changed of it.

Read from `multirun.yaml`, or from the configuration kept with the first run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clbench.records.sweep import read_summaries


@dataclass(frozen=True)
class Study:
    """A study, as far as results are judged by it.

    Args:
        claims: in the grammar of `claims`.
        changes: settings in which the sweep differs from it, as `training.steps=500 → 20`.
        published: in the grammar of `published`, empty without a table.
    """

    claims: tuple[dict[str, Any], ...] = ()
    changes: tuple[str, ...] = ()
    published: Mapping[str, Any] = field(default_factory=dict)


def read_study(folder: Path | str) -> Study:
    """Return the study of a folder's results; an empty one if they are of none."""
    config = _config_of(Path(folder))
    node = _mapping(config.get("study"))
    claims = node.get("claims") or config.get("claims") or []
    return Study(
        claims=tuple(dict(claim) for claim in claims if isinstance(claim, Mapping)),
        changes=tuple(str(change) for change in node.get("changes") or ()),
        published=_mapping(node.get("published")),
    )


def _config_of(folder: Path) -> Mapping[str, Any]:
    """Return the configuration that a folder's results were made from, empty without one."""
    path = folder / "multirun.yaml"
    if path.exists():
        return _mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
    summaries = read_summaries(folder) if folder.is_dir() else []
    return _mapping(summaries[0]["provenance"]["config"]) if summaries else {}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
