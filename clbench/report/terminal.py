"""What the terminal shows at the end of a run, a sweep or a report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from clbench.analysis.claims import count_verdicts
from clbench.analysis.comparison import Baseline
from clbench.analysis.tables import end_table_for_terminal
from clbench.errors import ConfigurationError
from clbench.report.combine import load_together
from clbench.report.contents import Contents
from clbench.report.published import published_table
from clbench.report.write import write_report


def report(
    folders: Sequence[Path],
    out: Path | None = None,
    baseline: Baseline | None = None,
    all_settings: bool = False,
) -> Contents:
    """Print, draw and write all that there is to say about folders of results, and return it.

    Args:
        folders: of sweeps or runs; several are compared as one sweep.
        out: where `figures/` and `report.html` go, None for the folder itself.
        baseline: strategy or setting that the others are compared with; None for naive if there is one.
        all_settings: draw every setting, however many there are.

    Raises:
        ConfigurationError: a folder holds no results, or several were given and no place for their report.
    """
    if len(folders) > 1 and out is None:
        raise ConfigurationError(
            f"A comparison of several folders needs a place of its own; got {len(folders)} folders and no "
            "--out. Add --out FOLDER."
        )
    results = load_together(folders)
    console = _console()
    console.print(end_table_for_terminal(results.runs))
    is_study = len(folders) == 1
    contents, page = write_report(results, out or folders[0], baseline, is_study, all_settings)
    if contents.published:
        console.print(published_table(contents.sheets[0]))
    _print_lines(console, contents, page)
    return contents


def _console() -> Console:
    """Return a console for stdout; in a file, where there is no terminal's width, lines may be long."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else 200, highlight=False)


def _print_lines(console: Console, contents: Contents, page: Path) -> None:
    """Print diagnostics, claims with what was found, and where the pictures are."""

    def show(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    for line in contents.diagnostics:
        show(f"Diagnosis: {line}")
    for claim in contents.claims:
        show(f"{claim.mark} {claim.text}")
        show(f"   {claim.found}")
    if contents.claims:
        show(count_verdicts(contents.claims))
    for line in contents.notes:
        show(line)
    if contents.pictures:
        show("Pictures (PNG, and SVG beside):")
        for picture in contents.pictures:
            show(f"  {_shown(picture.png)}")
    show(f"Report: {_shown(page)}")


def _shown(path: Path) -> str:
    """Return a path as a person types it: relative to the working folder if it lies below."""
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
