"""A sweep's `runs.csv`: one row per run folder below it."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from clbench.execution import OF_RUN
from clbench.records.columns import COUNTS, final_columns
from clbench.records.declared import METRICS
from clbench.records.files import row_bytes, write_whole
from clbench.records.metrics import relative_metrics
from clbench.records.own import adopt
from clbench.records.provenance import SHAPING
from clbench.records.roles import ORDER, REFERENCES, role_of_label
from clbench.records.run import SUMMARY

SECTIONS = (*SHAPING, *OF_RUN)
"""Parts of a configuration whose values become columns where they vary."""


def write_sweep(folder: Path | str) -> Path:
    """Write `runs.csv` of all whole runs below a folder, those of earlier sweeps included; return its path.

    Raises:
        OSError: the folder can't be written.
    """
    folder = Path(folder)
    rows, header = tabulate(read_summaries(folder))
    path = folder / "runs.csv"
    write_whole(path, row_bytes(header, rows))
    return path


def find_runs(folder: Path) -> list[Path]:
    """Return the folders below (or at) a folder that hold a whole run, in the order of their names.

    Links are followed, so that runs of several sweeps can be put together; none is gone through twice.
    """
    found = []
    seen: set[tuple[int, int]] = set()
    for place, below, files in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        if SUMMARY in files:
            found.append(Path(place))
            below.clear()  # a run's folder holds no other run
        else:
            below[:] = sorted(name for name in below if not name.startswith("."))
    return sorted(found)


def read_summaries(folder: Path) -> list[dict[str, Any]]:
    """Return the summaries of all whole runs below a folder, each with `run` as its path from there."""
    found = []
    for place in find_runs(folder):
        summary = json.loads((place / SUMMARY).read_text(encoding="utf-8"))
        name = place.relative_to(folder).as_posix()
        adopt(summary.get("declared", {}))
        role = summary.get("role", role_of_label(summary["strategy"]))
        found.append(summary | {"run": place.name if name == "." else name, "role": role})
    return found


def other_provenances(folder: Path, asked: Collection[Path]) -> list[dict[str, Any]]:
    """Return where the whole runs below a folder come from, without those in some of its folders."""
    others = [place for place in find_runs(folder) if place not in asked] if folder.is_dir() else []
    found = []
    for place in others:
        with contextlib.suppress(ValueError, KeyError):  # no summary of ours
            made_by = json.loads((place / SUMMARY).read_text(encoding="utf-8"))["provenance"]
            found.append({"sources": None, "files": {}} | made_by)
    return found


def tabulate(summaries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of `runs.csv` and its header, from summaries."""
    configs = [settings_of(summary) for summary in summaries]
    varying = [*_varying(configs), *_unlike_files(summaries, configs)]
    references = _references(summaries)
    rows = []
    for summary, config in zip(summaries, configs, strict=True):
        row = {name: config.get(name) for name in varying} | _flat_part(summary)
        rows.append(row | _relative_metrics(summary, references))
    rows.sort(key=lambda row: _order(row, varying))
    finals = dict.fromkeys(
        final.column
        for summary in summaries
        for final in final_columns(summary["tasks"], summary["splits"], summary["scores"])
    )
    header = ["run", "strategy", "role", "lam", "seed", "stream", *varying, "status", *finals, *METRICS]
    header += COUNTS
    if any(row["status"] == "diverged" for row in rows):
        header.append("diverged_after")
    return rows, header


def _flat_part(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a summary is one value."""
    return {key: value for key, value in summary.items() if not isinstance(value, (dict, list))}


def settings_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what distinguishes a run besides strategy, λ, seed and stream, by dotted name."""
    config = summary["provenance"]["config"]
    found = {key: value for key, value in summary["labels"].items() if key not in ("strategy", "stream")}
    for section in SECTIONS:
        if section in config:
            found |= dict(flatten(config[section], section))
    found.pop("strategy.lam", None)
    return found


def flatten(value: Any, name: str) -> Iterable[tuple[str, Any]]:
    """Yield the leaves of a configuration by dotted name; a list of plain values is one leaf, as JSON."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for index, item in enumerate(value):
            yield from flatten(item, f"{name}.{index}")
    elif isinstance(value, list):
        yield name, json.dumps(value)
    else:
        yield name, value


def _varying(configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names that have two values or more among the runs that have the part they belong to.

    A part that lacks a field, as a clbench without that field wrote it, differs from one that has it.
    """
    values: dict[str, set[str]] = {}
    parts: Counter[tuple[str, str]] = Counter()
    having: Counter[tuple[str, tuple[str, str]]] = Counter()
    for config in configs:
        owners = {name: _part(name, config) for name in config}
        parts.update(set(owners.values()))
        having.update(owners.items())
        for name, value in config.items():
            values.setdefault(name, set()).add(repr(value))
    for (name, part), count in having.items():
        if count < parts[part]:
            values[name].add("absent")
    return [name for name, seen in values.items() if len(seen) > 1 and not name.endswith("_target_")]


def _unlike_files(summaries: Iterable[Mapping[str, Any]], configs: Iterable[dict[str, Any]]) -> list[str]:
    """Name the user's files that had several contents, and add their digests to the configurations.

    Runs of other data or code are of another setting, never paired or averaged; runs of a strategy's other
    code differ as those of other hyperparameters do.
    """
    digests: dict[str, set[str]] = {}
    of_runs = []
    for summary in summaries:
        files = summary["provenance"].get("files", {})
        of_runs.append(
            {f"{part}.files.{name}": digest for part in files for name, digest in files[part].items()}
        )
        for name, digest in of_runs[-1].items():
            digests.setdefault(name, set()).add(digest)
    found = [name for name, seen in digests.items() if len(seen) > 1]
    for config, files in zip(configs, of_runs, strict=True):
        config.update({name: files[name] for name in found if name in files})
    return found


def _part(name: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the part that a name belongs to: where it lies in the configuration, and its class."""
    place = name.rpartition(".")[0]
    while "." in place and f"{place}._target_" not in config:
        place = place.rpartition(".")[0]
    return place, str(config.get(f"{place}._target_"))


def _references(summaries: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """Return R*[j,j] of the reference runs, by what they share with the runs they are paired with."""
    return {
        (summary["role"], summary["provenance"]["setting_hash"]): summary["diagonal"]
        for summary in summaries
        if summary["role"] in REFERENCES and summary.get("diagonal")
    }


def _relative_metrics(
    summary: Mapping[str, Any], references: Mapping[tuple[str, str], list[float]]
) -> dict[str, float]:
    """Return what compares a run with the reference of the same seed and setting, nothing without one."""
    ours, setting = summary.get("diagonal"), summary["provenance"]["setting_hash"]
    for role in REFERENCES:
        if ours and (reference := references.get((role, setting))):
            return relative_metrics(ours, reference)
    return {}


def _order(row: Mapping[str, Any], varying: Iterable[str]) -> tuple[Any, ...]:
    """Return the sort key of a row: naive first, references last, λ and seed as numbers."""
    place, strategy = ORDER.index(row["role"]), row["strategy"]
    own = tuple(_comparable(row.get(name)) for name in varying if name.startswith("strategy."))
    others = tuple(_comparable(row.get(name)) for name in varying if not name.startswith("strategy."))
    lam = row["lam"] if row["lam"] is not None else -1.0
    return (row["stream"], others, place, strategy, own, lam, row["seed"], row["run"])


def _comparable(value: Any) -> tuple[int, float, str]:
    """Return a value so that numbers sort as numbers and any two can be compared."""
    if isinstance(value, (int, float)):
        return (0, float(value), "")
    return (1, 0.0, "" if value is None else str(value))
