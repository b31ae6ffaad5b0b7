"""Several folders as one comparison: what is constant in each but differs between them becomes a column."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from clbench.analysis.load import Records, load, read_runs
from clbench.errors import ConfigurationError
from clbench.records.files import row_bytes
from clbench.records.sweep import read_summaries, tabulate


def load_together(folders: Sequence[Path]) -> Records:
    """Return the results of one folder, or of several as one sweep in their common parent.

    Args:
        folders: of sweeps or runs.

    Raises:
        ConfigurationError: a folder holds no results.
    """
    if len(folders) == 1:
        return load(folders[0])
    places = list(dict.fromkeys(folder.resolve() for folder in folders))
    parent = Path(os.path.commonpath(places))
    summaries, empty = [], []
    for place in places:
        found = read_summaries(place) if place.is_dir() else []
        if not found:
            empty.append(
                f"A folder that is compared must hold runs with summary.json; got {place}. "
                "Give the folders that clbench commands named at their ends."
            )
        for summary in found:
            below = place.relative_to(parent)
            alone = (place / "summary.json").is_file()
            summaries.append(summary | {"run": (below if alone else below / summary["run"]).as_posix()})
    if empty:
        raise ConfigurationError(*empty)
    rows, header = tabulate(list({summary["run"]: summary for summary in summaries}.values()))
    return Records(parent, read_runs(io.BytesIO(row_bytes(header, rows))))
