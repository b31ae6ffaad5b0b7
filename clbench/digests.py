"""Digests of files, read again when a file has changed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

Files = dict[str, str]
"""Digests of files by their names: `package/module.py`, or as a field names them."""

RunFiles = Mapping[str, Files]
"""Of all that shaped a run, by the part."""


def digest_files(paths: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits over the contents of files, in their order."""
    joined = "/".join(digest_file(path) if path.is_file() else "missing" for path in paths)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """Return 16 hexadecimal digits over a file's contents, which are read again when they have changed.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    return _digest(path, status.st_mtime_ns, status.st_size, status.st_ino)


@functools.lru_cache(maxsize=4096)
def _digest(path: Path, *state: int) -> str:
    """Return a file's digest; what follows the path makes a changed file another entry of the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
