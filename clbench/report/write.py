"""The files of a report: pictures, the page, and what became of the claims."""

from __future__ import annotations

from pathlib import Path

from clbench.analysis.claims import write_verdicts
from clbench.analysis.comparison import Baseline
from clbench.analysis.load import Records
from clbench.analysis.published import write_comparisons
from clbench.report.contents import Contents, gather
from clbench.report.html import write_page


def write_report(
    results: Records,
    folder: Path,
    baseline: Baseline | None = None,
    is_study: bool = True,
    all_settings: bool = False,
) -> tuple[Contents, Path]:
    """Write `figures/`, `report.html` and the verdicts on claims; return what the page says, and its path.

    Arguments as for `gather`; the folder is made if it isn't there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = gather(results, folder, baseline, is_study, all_settings)
    if contents.claims:
        write_verdicts(folder, contents.claims)
    if contents.published:
        write_comparisons(folder, contents.published)
    return contents, write_page(contents, folder / "report.html")
