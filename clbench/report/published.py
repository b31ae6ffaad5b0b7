"""A published table and our runs beside it, for the page and for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from clbench.analysis.published import Comparison
from clbench.records.declared import heading_of
from clbench.report.sheets import EM_DASH, Sheet

NUMBERS = ("published", "ours", "n", "p", "p (Holm)")
HEADER = ("method", "scenario", "metric", *NUMBERS, "", "reason")


def published_sheet(comparisons: Sequence[Comparison], source: str) -> Sheet:
    """Return the table of comparisons, and in its note how many agree.

    Args:
        comparisons: at least one.
        source: what the table is called in print.
    """
    counts = Counter(item.mark for item in comparisons)
    judged = len(comparisons) - counts["–"]
    note = (
        f"{counts['✅']} ✅, {counts['✅ weak']} ✅ weak, {counts['❌']} ❌, {counts['–']} not compared. "
        "Published: mean ± spread as printed; ours: mean [95 % interval, Student's t] over n seeds; p of "
        "equal means (Welch, rounding of print included), and corrected for the "
        f"{judged} rows that are judged (Holm): ❌ where that is below .05. ✅ weak: the 95 % interval of "
        "the difference is wider than 2 points of 100, or p < .05 by itself."
    )
    rows = tuple(_row(item) for item in comparisons)
    numeric = tuple(name in NUMBERS for name in HEADER)
    return Sheet(f"Published: {source}", note, HEADER, rows, numeric)


def published_table(sheet: Sheet) -> Table:
    """Return the sheet for `rich.print`."""
    table = Table(
        title=sheet.title,
        caption=sheet.note,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for head, is_number in zip(sheet.header, sheet.numeric, strict=True):
        table.add_column(head, justify="right" if is_number else "left", no_wrap=head != "reason")
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table


def _row(item: Comparison) -> tuple[str, ...]:
    row = item.row
    digits = max(row.digits, 2)
    printed = f"{row.mean:.{row.digits}f}"
    if np.isfinite(row.spread):
        printed += f" ± {row.spread:.{max(row.digits, len(f'{row.spread:g}'.partition('.')[2]))}f}"
    ours = EM_DASH
    if np.isfinite(item.ours):
        ours = f"{item.ours:.{digits}f}"
        if np.isfinite(item.low):
            ours += f" [{item.low:.{digits}f}, {item.high:.{digits}f}]"
    metric = heading_of(row.metric) + (" in %" if row.unit == "%" else "")
    tests = (_p(item.p), _p(item.p_holm))
    return (row.method, row.scenario, metric, printed, ours, str(item.n), *tests, item.mark, item.reason)


def _p(value: float) -> str:
    if np.isnan(value):
        return EM_DASH
    return "<0.001" if value < 0.001 else f"{value:.3f}"
