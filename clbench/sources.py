"""Which version of the code shapes a run's numbers: a hash of the sources themselves.

A commit's name would also change with every edit of a picture or a table, and would not with an edit that
is not committed yet.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

ABOVE_TRAINING = ("analysis", "app.py", "figures", "launcher", "records", "report", "testing")
"""What only starts, records or shows runs."""


@functools.cache
def training_sources() -> str:
    """Return 16 hexadecimal digits over all modules of this package that shape what a run computes."""
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package)
        if place.parts[0] not in ABOVE_TRAINING:
            digest.update(place.as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
