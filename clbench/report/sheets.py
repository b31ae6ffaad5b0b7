"""Tables as texts, with the interval first, the point second and n always."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clbench.analysis.load import Results
from clbench.analysis.selection import choose_lambda
from clbench.analysis.settings import leading_metric_of
from clbench.analysis.tables import end_table_for_terminal, short
from clbench.errors import ConfigurationError

EM_DASH = "–"


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Args:
        title: what it shows.
        note: how to read it.
        header: of the columns.
        rows: texts, as long as the header.
        numeric: whether a column holds numbers, and is set flush right.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def outcome_sheet(runs: pd.DataFrame) -> Sheet:
    """Return the end table, as the terminal shows it."""
    table = end_table_for_terminal(runs)
    columns = [*table.names.values()]
    columns += [[cell.replace(",", ", ") for cell in cells] for cells in table.quantities.values()]
    return Sheet(
        title="Outcome",
        note="[95 % interval, Student's t] mean over n seeds; test split, after the last stage.",
        header=(*table.names, *table.quantities),
        rows=tuple(zip(*columns, strict=True)),
        numeric=(*(name in table.numeric for name in table.names), *(True for _ in table.quantities)),
    )


def difference_sheet(results: Results, baseline: str | None = None) -> Sheet | None:
    """Return the paired differences from a baseline, None where there is nothing to compare.

    Args:
        results: of a sweep.
        baseline: a strategy; None for naive if the sweep has it.

    Raises:
        ConfigurationError: nothing can be compared with the baseline that was asked for.
    """
    runs, asked = results.runs, baseline is not None
    baseline = baseline or "naive"
    if runs["strategy"].nunique() < 2 and not asked:
        return None
    try:
        frame = results.compare(baseline)
    except ConfigurationError:
        if asked:
            raise
        return None
    frame = frame[frame["strategy"] != baseline]
    if not frame["pairs"].any():
        return None
    names = _setting_names(frame, "metric")
    loss = leading_metric_of(runs) == "loss"
    rows = [
        (
            *(plain(row[name]) for name in names),
            str(int(row["pairs"])),
            in_words(row["difference_low"], row["difference_high"], row["difference"], loss),
            EM_DASH if np.isnan(row["p"]) else short(row["p"]),
            EM_DASH if np.isnan(row["p_holm"]) else short(row["p_holm"]),
        )
        for row in frame.to_dict("records")
    ]
    quantity, better = ("mean loss", "negative") if loss else ("ACC", "positive")
    header = (*(_heading(name) for name in names), "pairs", f"{quantity} − {baseline}'s", "p", "p (Holm)")
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in names]
    note = (
        f"Final {quantity} over tasks on the test split, paired by seed; a {better} difference is better. "
        "[95 % interval, Student's t] mean; p of a sign-flip test, Holm-corrected over this table."
    )
    return Sheet(f"Difference from {baseline}", note, header, tuple(rows), (*numeric, True, True, True, True))


def choice_sheet(runs: pd.DataFrame) -> Sheet | None:
    """Return what an honest choice of λ reaches and what the oracle's would; None where none can be made."""
    try:
        frame = choose_lambda(runs)
    except ConfigurationError:
        return None
    names = _setting_names(frame, "lam")
    loss = leading_metric_of(runs) == "loss"
    quantity = "mean loss" if loss else "ACC"
    rows = [
        (
            *(plain(row[name]) for name in names),
            row["choices"] or EM_DASH,
            str(row["n"]),
            in_words(row["low"], row["high"], row["point"], loss),
            plain(row["oracle_lam"]),
            in_words(row["oracle_low"], row["oracle_high"], row["oracle"], loss),
        )
        for row in frame.to_dict("records")
    ]
    note = (
        "Each seed's λ is the best on the validation split of the other seeds; every seed is judged on the "
        "test split at its own. The oracle's λ is the best on just those test results; nobody could have "
        "chosen it."
    )
    header = (
        *(_heading(name) for name in names),
        "chosen λ",
        "n",
        quantity,
        "oracle's λ",
        f"oracle's {quantity}",
    )
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in names]
    return Sheet("λ chosen on validation data", note, header, tuple(rows), (*numeric, *[True] * 5))


def _setting_names(frame: pd.DataFrame, until: str) -> list[str]:
    """Return the columns before one that say something."""
    names = list(frame.columns)[: list(frame.columns).index(until)]
    names = [name for name in names if not _is_empty(frame, name)]
    return [name for name in names if name != "stream" or frame["stream"].nunique() > 1]


def in_words(low: float, high: float, point: float, turned: bool = False) -> str:
    """Return `[low, high] point`; the point alone without an interval, a dash without a point.

    Args:
        low, high, point: of an estimate.
        turned: whether the sign is turned first, for a loss that was oriented so that higher is better.
    """
    if turned:
        low, high, point = -high, -low, -point
    if not np.isfinite(point):
        return EM_DASH
    return short(point) if not np.isfinite(low) else f"[{short(low)}, {short(high)}] {short(point)}"


def plain(value: object) -> str:
    """Return a setting's value as text, empty where it has none."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_empty(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column says nothing."""
    return bool(frame[name].isna().all() or (name == "lost" and not frame["lost"].any()))


def _heading(name: str) -> str:
    """Return a column's heading."""
    return {"lam": "λ"}.get(name, name)
