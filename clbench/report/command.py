"""The command `clbench-report FOLDER`, and what `clbench` shows at the end of a run or sweep."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

    from clbench.analysis.comparison import Baseline
    from clbench.report.contents import Contents

FAILED_CLAIM, BAD_INPUT = 1, 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `clbench-report` and exit: 0 when done, 1 with `--check-claims` unless all hold, 2 without results.

    Args:
        arguments: of the command line, those of the process by default.
    """
    options = _parser().parse_args(arguments)
    try:
        contents = report(options.folder, options.out, options.baseline, options.all_settings)
    except ConfigurationError as error:
        sys.stderr.write("\n".join(error.problems) + "\n")
        sys.exit(BAD_INPUT)
    except OSError as error:
        sys.stderr.write(f"The report's folder must be writable; got {error}. Name another one with --out.\n")
        sys.exit(BAD_INPUT)
    all_hold = all(claim.holds for claim in contents.claims)  # what is undecided or not checked does not
    sys.exit(FAILED_CLAIM if options.check_claims and not all_hold else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clbench-report",
        description="Make tables, pictures and report.html of a sweep again, from its files alone.",
    )
    parser.add_argument(
        "folder", type=Path, nargs="+", help="of a sweep or a run; several are compared as one sweep"
    )
    parser.add_argument(
        "--out", type=Path, help="folder for figures/ and report.html; that of the sweep by default"
    )
    parser.add_argument(
        "--baseline",
        type=_baseline,
        help="strategy to compare with, at its chosen λ, or a setting as strategy=l2,lam=1 (default: naive)",
    )
    parser.add_argument("--all-settings", action="store_true", help="draw every setting, however many")
    parser.add_argument("--check-claims", action="store_true", help="exit with 1 unless all claims hold (✅)")
    return parser


def _baseline(text: str) -> Baseline:
    """Return `ewc` as it is and `strategy=l2,lam=1` as conditions; a comma within a value stays there."""
    items = re.split(r",(?=[\w.]+=)", text)
    return dict(item.split("=", 1) for item in items) if "=" in text else text


def present(folder: Path) -> None:
    """Show a finished run or sweep: print tables, diagnostics and claims, draw it, write `report.html`.

    Args:
        folder: of a run or a sweep.

    Raises:
        ConfigurationError: there are no runs in the folder.
    """
    report([folder])


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
    from clbench.analysis.tables import end_table_for_terminal
    from clbench.report.combine import load_together
    from clbench.report.published import published_table
    from clbench.report.write import write_report

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
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else 200, highlight=False)


def _print_lines(console: Console, contents: Contents, page: Path) -> None:
    """Print diagnostics, claims with what was found, and where the pictures are."""
    from clbench.analysis.claims import count_verdicts

    def tell(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    for line in contents.diagnostics:
        tell(f"Diagnosis: {line}")
    for claim in contents.claims:
        tell(f"{claim.mark} {claim.text}")
        tell(f"   {claim.found}")
    if contents.claims:
        tell(count_verdicts(contents.claims))
    for line in contents.notes:
        tell(line)
    if contents.pictures:
        tell("Pictures (PNG, and SVG beside):")
        for picture in contents.pictures:
            tell(f"  {_shown(picture.png)}")
    tell(f"Report: {_shown(page)}")


def _shown(path: Path) -> str:
    """Return a path as a person types it: relative to the working folder if it lies below."""
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    main()
