"""What of the user's shaped a run: the code of own parts, all that it imports, and the files that parts name.

Stages kept by earlier sweeps and runs that have ended count only while all of it is as it was then.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clbench.config import fingerprint
from clbench.digests import Files, RunFiles, digest_file
from clbench.runs import Run
from clbench.sources import is_users, user_sources

PARTS = ("stream", "model", "strategy", "optimizer")

DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


class Ingredients:
    """The files that shape the parts of a sweep's runs, as they are when they are first asked for."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[Any, Files]] = {}
        self.named = functools.cache(lambda text: list(_named(text)))

    def of_part(self, part: Any) -> Files:
        """Return the files that shaped one part, nothing for clbench's own parts that name no files."""
        if id(part) not in self.seen:
            self.seen[id(part)] = (part, dict(sorted(self._files(part))))
        return self.seen[id(part)][1]

    def of_run(self, run: Run) -> RunFiles:
        """Return the files that shaped a run, by the part, without parts that have none."""
        found = {name: self.of_part(getattr(run, name)) for name in PARTS}
        return {name: files for name, files in found.items() if files}

    def _files(self, value: Any) -> Iterator[tuple[str, str]]:
        """Yield the files behind a part or a value of its fields, at any depth."""
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _code(type(value))
            for item in dataclasses.fields(value):
                yield from self._files(getattr(value, item.name))
            if version := getattr(value, "data_version", str)():
                yield f"data of {type(value).__name__} {fingerprint(value)[:8]}", version
        elif isinstance(value, Mapping):
            for item in value.values():
                yield from self._files(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from self._files(item)
        elif isinstance(value, str):
            yield from self.named(value)
        elif callable(value):
            yield from _code(value)


def _code(thing: Any) -> Iterator[tuple[str, str]]:
    """Yield the file in which a class or a function is written, and those of the user's that it imports."""
    module = str(getattr(thing, "__module__", ""))
    if module.partition(".")[0] not in ("clbench", "builtins"):
        yield from (user_sources(module) or {module: _once(thing)}).items()


@functools.lru_cache
def _once(thing: Any) -> str:
    """Return what no other session has, for code without a file (an interpreter's prompt)."""
    return uuid.uuid4().hex[:16]


def _named(text: str) -> Iterator[tuple[str, str]]:
    """Yield the file that a text names by its path, or the user's code that it names by a dotted path."""
    try:
        path = Path(text).expanduser()
        if path.is_file():
            yield text, digest_file(path)
            return
    except (OSError, ValueError, RuntimeError):  # no path at all
        return
    if DOTTED.fullmatch(text):
        names = text.split(".")
        modules = (".".join(names[:end]) for end in range(len(names), 0, -1))
        if module := next((module for module in modules if is_users(module)), None):
            yield from user_sources(module).items()
