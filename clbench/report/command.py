"""The command `clbench-report FOLDER`, and how `clbench` ends; both import libraries when called."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from clbench.errors import ConfigurationError

FAILED_CLAIM, BAD_INPUT = 1, 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `clbench-report` and exit: 0 when done, 1 with `--check-claims` unless all hold, 2 without results.

    Args:
        arguments: of the command line, those of the process by default.
    """
    options = _parser().parse_args(arguments)
    from clbench.report.terminal import report

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


def _baseline(text: str) -> str | dict[str, str]:
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
    from clbench.report.terminal import report

    report([folder])


if __name__ == "__main__":
    main()
