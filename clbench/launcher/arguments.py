"""Arguments that Hydra must be given in another form than a person types them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from clbench.launcher.grammar import parsed, quoted
from clbench.launcher.places import GROUP, root
from clbench.launcher.schema import PARTS, TOP

VALUED = (
    ("--cfg", "-c"),
    ("--package", "-p"),
    ("--config-path", "-cp"),
    ("--config-name", "-cn"),
    ("--config-dir", "-cd"),
    ("--experimental-rerun",),
)
"""Hydra's flags that a value follows."""


@dataclass(frozen=True)
class CommandLine:
    """A command's words, sorted.

    Args:
        overrides: what is neither a flag nor belongs to one, in order.
        folder: of further configuration (`--config-dir`).
        config_name: of the primary configuration, `config` if it isn't given.
        is_multirun: whether `-m` is given.
        only_prints: whether a flag asks for help or for the configuration, and not for a run.
    """

    overrides: tuple[str, ...]
    folder: Path | None = None
    config_name: str = "config"
    is_multirun: bool = False
    only_prints: bool = False


class _Flags(argparse.ArgumentParser):
    """Hydra's flags; what is wrong with them Hydra itself reports."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def read(arguments: Sequence[str]) -> CommandLine:
    """Return a command's arguments, sorted; all words count as overrides where its flags are wrong."""
    flags = _Flags(add_help=False)
    for names in VALUED:
        flags.add_argument(*names)
    flags.add_argument("--info", "-i", nargs="?", const="all")
    flags.add_argument("--multirun", "-m", action="store_true")
    try:
        found, rest = flags.parse_known_args(list(arguments))
    except ValueError:
        return CommandLine(tuple(word for word in arguments if not word.startswith("-")), only_prints=True)
    others = [word for word in rest if word.startswith("-") and word not in ("--run", "-r")]
    return CommandLine(
        overrides=tuple(word for word in rest if not word.startswith("-")),
        folder=None if found.config_dir is None else Path(found.config_dir),
        config_name=found.config_name or "config",
        is_multirun=found.multirun,
        only_prints=bool(others or found.cfg or found.info),
    )


def for_hydra(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, with single values of the fields of swept parts as sweeps of one value.

    Hydra composes the sweep's own configuration with all single values before any choice is made, and
    `strategy.lam=1` would fail there for `strategy=ewc,si`, since the default strategy has no λ. It leaves
    sweeps alone.
    """
    line = read(arguments)
    if (line.only_prints and not line.is_multirun) or asks_for_one_run(arguments):
        return list(arguments)
    swept = _swept_choices(line)
    return [
        _as_sweep(word) if word in line.overrides and word.partition(".")[0] in swept else word
        for word in arguments
    ]


def asks_for_one_run(arguments: Sequence[str]) -> bool:
    """Return whether a study is to be run once, with its own fields, and not as a sweep."""
    return "hydra.mode=RUN" in arguments


def _as_sweep(word: str) -> str:
    """Return an override of one value as a sweep of one value; any other word as it is."""
    override = parsed(word)
    text = word.partition("=")[2].strip()
    if override is None or override.is_sweep_override():
        return word
    # Hydra takes the quotes off a single choice, and a text such as "1" would become a number.
    for choice in (text, quoted(text)):
        swept = f"{override.get_key_element()}=choice({choice})"
        if (sweep := parsed(swept)) is not None:
            (value,) = sweep.sweep_string_iterator()
            job = parsed(f"k={value}")
            if job is not None and repr(job.value()) == repr(override.value()):
                return swept
    return word


def _swept_choices(line: CommandLine) -> set[str]:
    """Return the choices that differ between the jobs of a command, as far as they can be known."""
    words = [word for word in line.overrides if any(sign in word for sign in ",(")]
    keys = [item.key_or_group for item in map(parsed, words) if item is not None and item.is_sweep_override()]
    keys += [key.partition(".")[0] for key in _keys_of_studies(line)]
    choices = {key for key in keys if "." not in key}
    # What is swept beside a run's own keys, such as the studies, may choose any part.
    return choices | (set() if choices <= set(TOP) else set(PARTS))


def _keys_of_studies(line: CommandLine) -> Iterable[str]:
    """Yield what the grids and the sweeper's parameters of the named studies sweep."""
    names = [word.partition("=")[2] for word in line.overrides if word.startswith(f"{GROUP}=")]
    folders = [folder for folder in (line.folder, root()) if folder is not None]
    files = [folder / GROUP / f"{name}.yaml" for name in names for folder in folders]
    if line.folder is not None:
        files.append(line.folder / f"{line.config_name}.yaml")
    for file in files:
        content = _content(file)
        grids = _below(content, "study").get("grids")
        for grid in grids if isinstance(grids, list) else []:
            yield from map(str, grid if isinstance(grid, dict) else ())
        yield from map(str, _below(_below(_below(content, "hydra"), "sweeper"), "params"))


def _content(file: Path) -> Any:
    """Return what is in a file; nothing where it can't be read, which Hydra or the sweeper reports."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _below(content: Any, key: str) -> dict[Any, Any]:
    node = content.get(key) if isinstance(content, dict) else None
    return node if isinstance(node, dict) else {}
