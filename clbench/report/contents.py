"""All that a report says about a sweep, gathered once for the terminal and for the page."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clbench.analysis.claims import Verdict, check_claims
from clbench.analysis.comparison import Baseline
from clbench.analysis.diagnostics import diagnose, write_findings
from clbench.analysis.load import Records
from clbench.analysis.published import Comparison, compare_published
from clbench.analysis.study import Study, read_study
from clbench.errors import ConfigurationError
from clbench.figures.picture import Picture
from clbench.report.origin import Origin, origin_of
from clbench.report.published import published_sheet
from clbench.report.sheets import Sheet, choice_sheet, difference_sheets, outcome_sheet


@dataclass(frozen=True)
class Contents:
    """What a report says.

    Args:
        results: of a sweep or a run.
        origin: where they come from.
        sheets: tables for the page.
        claims: of the study, checked.
        diagnostics: what may be wrong, a line each.
        pictures: that were drawn.
        notes: what was left out, a line each.
        published: our runs beside a published table, where the study has one.
    """

    results: Records
    origin: Origin
    sheets: tuple[Sheet, ...]
    claims: tuple[Verdict, ...]
    diagnostics: tuple[str, ...]
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...]
    published: tuple[Comparison, ...] = ()


def gather(
    results: Records,
    folder: Path,
    baseline: Baseline | None = None,
    is_study: bool = True,
    all_settings: bool = False,
) -> Contents:
    """Draw all pictures into a folder and return what the report says.

    Args:
        results: of a sweep or a run.
        folder: where `figures/` is made.
        baseline: strategy or setting that the others are compared with; None for naive if there is one.
        is_study: whether the claims of the results' folder are about them (not so for a comparison).
        all_settings: draw every setting, however many there are.
    """
    from clbench.figures.gallery import SETTINGS_DRAWN, draw_all, other_pictures

    study = read_study(results.folder) if is_study else Study()
    published = compare_published(results, study.published)
    source = str(study.published.get("source", ""))
    beside = published_sheet(published, source) if published else None
    found = (
        beside,
        outcome_sheet(results.runs),
        *difference_sheets(results, baseline),
        choice_sheet(results.runs),
    )
    most = len(results.runs) if all_settings else SETTINGS_DRAWN
    pictures, notes = draw_all(results, folder=folder, most=most, published=published, source=source)
    if others := other_pictures(folder / "figures", pictures):
        notes.append(f"figures/ holds other pictures too, not of this report: {', '.join(others)}.")
    return Contents(
        results=results,
        origin=origin_of(results),
        sheets=tuple(sheet for sheet in found if sheet is not None),
        claims=tuple(check_claims(study.claims, results, study.changes)),
        diagnostics=tuple(diagnoses(results)),
        pictures=tuple(pictures),
        notes=tuple(notes),
        published=tuple(published),
    )


def diagnoses(results: Records) -> list[str]:
    """Return what may be wrong with the runs, a line each, and write it into their summaries.

    Nothing is diagnosed where the runs' own files are gone; summaries that can't be written stay as they are.
    """
    try:
        findings = diagnose(results)
    except ConfigurationError:
        return []
    with suppress(OSError):
        write_findings(results, findings)
    return [finding.text for finding in findings]
