"""One page that holds everything: tables, claims, diagnostics, pictures, provenance; nothing is fetched."""

from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from clbench.analysis.load import Records
from clbench.records.files import write_whole
from clbench.report.contents import Contents
from clbench.report.sheets import difference_sheets, outcome_sheet


def write_page(contents: Contents, path: Path) -> Path:
    """Write `report.html`, whole or not at all, and return its path.

    Args:
        contents: what the report says.
        path: of the page.
    """
    write_whole(path, render(contents).encode())
    return path


def render(contents: Contents) -> str:
    """Return the page. Pictures are inside as SVG data; there is no script and no address."""
    pictures = [
        {"title": picture.title, "caption": picture.caption, "data": data_address(picture.svg)}
        for picture in contents.pictures
    ]
    runs = count_runs(contents.results.runs)
    return _template("page").render(contents=contents, origin=contents.origin, pictures=pictures, runs=runs)


def render_tables(results: Records) -> str:
    """Return the tables of an outcome and its comparison for a notebook, and where the files lie."""
    sheets = [outcome_sheet(results.runs), *difference_sheets(results)[:1]]
    return _template("tables").render(sheets=sheets, runs=count_runs(results.runs), folder=results.folder)


def count_runs(runs: pd.DataFrame) -> str:
    """Return how many runs ended how: `59 done, 1 diverged`."""
    return ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("clbench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{name}.html.j2")


def data_address(picture: Path) -> str:
    """Return an SVG file as a `data:` address."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.read_bytes()).decode()
